import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lossOfLine } from "../../core/monitor/capture/captured-loss.ts";
import { Capture, type Captured, type CaptureOptions } from "./capture.ts";

describe("capture files", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "continuum-capture-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  function captureOf(overrides: Partial<CaptureOptions> = {}): { capture: Capture; errors: string[] } {
    const errors: string[] = [];
    const log = {
      info: () => undefined,
      warn: () => undefined,
      error: (_: unknown, message: string) => void errors.push(message),
    };
    const capture = new Capture({
      directory: join(directory, "capture"),
      enabled: true,
      log,
      fileBytesMax: 1e6,
      keptBytesMax: 1e7,
      queueBytesMax: 1e6,
      flushMs: 60_000,
      ...overrides,
    });
    return { capture, errors };
  }
  function captured(overrides: Partial<Captured> = {}): Captured {
    const body = Buffer.from("[1]");
    return {
      tenant: "acme",
      endpoint: "development-churn",
      variant: "v1",
      role: "stable",
      modelVersion: "1.0.0",
      candidateProbability: 0,
      status: 200,
      latencyMs: 1.23456,
      atMs: 0,
      requestId: "r-1",
      inferenceId: undefined,
      attempts: 1,
      failedOver: false,
      input: { contentType: "application/json", body },
      output: { contentType: "application/json", body },
      ...overrides,
    };
  }
  const files = () => readdir(join(directory, "capture", "acme", "development-churn"));

  it("hold what was recorded, for this user only, and nothing when it is off", async () => {
    const { capture } = captureOf();
    capture.record(captured());
    await capture.close();
    const [name] = await files();
    const path = join(directory, "capture", "acme", "development-churn", name ?? "");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({
      eventVersion: "0",
      eventMetadata: { inferenceTime: "1970-01-01T00:00:00.000Z" },
      continuum: { requestId: "r-1", latencyMs: 1.235 },
    });
    const off = captureOf({ enabled: false, directory: join(directory, "off") }).capture;
    off.record(captured());
    await off.close();
    await expect(stat(join(directory, "off"))).rejects.toThrow();
  });

  it("are bounded: more than may wait is dropped and counted, a large body is left out", async () => {
    const { capture } = captureOf({ queueBytesMax: 2000 });
    for (let n = 0; n < 50; n += 1) capture.record(captured());
    expect(capture.dropped).toBeGreaterThan(40);
    await capture.flush();
    expect(capture.written + capture.dropped).toBe(50);
    capture.record(captured({ input: { contentType: "text/csv", body: Buffer.alloc(70_000, 49) } }));
    await capture.close();
    const [name] = await files();
    const lines = (await readFile(join(directory, "capture", "acme", "development-churn", name ?? ""), "utf8"))
      .trim()
      .split("\n");
    const told = lines.map(lossOfLine).filter((one) => one !== undefined);
    expect(told).toEqual([capture.dropped]);
    const last: unknown = JSON.parse(lines.at(-1) ?? "");
    expect(last).toMatchObject({
      captureData: { endpointInput: { encoding: "CSV", data: null, omittedBytes: 70_000 } },
    });
  });

  it("are made again when somebody removed their folder", async () => {
    const { capture, errors } = captureOf();
    capture.record(captured());
    await capture.flush();
    await rm(join(directory, "capture", "acme"), { recursive: true });
    capture.record(captured());
    await capture.flush();
    expect(errors).toHaveLength(1);
    capture.record(captured({ requestId: "r-2" }));
    await capture.close();
    expect(await files()).toHaveLength(1);
    expect(capture).toMatchObject({ written: 2, dropped: 1 });
    const [name = ""] = await files();
    const [kept = "", loss = ""] = (
      await readFile(join(directory, "capture", "acme", "development-churn", name), "utf8")
    ).split("\n");
    expect(JSON.parse(kept)).toMatchObject({ continuum: { requestId: "r-2" } });
    expect(lossOfLine(loss)).toBe(1);
  });

  it("begin a new line after a write that broke off", async () => {
    const { capture } = captureOf();
    capture.record(captured());
    await capture.flush();
    const [name] = await files();
    const path = join(directory, "capture", "acme", "development-churn", name ?? "");
    // A folder in the file's place fails a write as a full disk does, and half a line is what that one leaves.
    const half = `${await readFile(path, "utf8")}{"half":`;
    await rm(path);
    await mkdir(path);
    capture.record(captured());
    await capture.flush();
    await rm(path, { recursive: true });
    await writeFile(path, half);
    capture.record(captured({ requestId: "r-3" }));
    await capture.close();
    const lines = (await readFile(path, "utf8")).split("\n");
    expect(lines.slice(1, 2)).toEqual(['{"half":']);
    expect(JSON.parse(lines[2] ?? "")).toMatchObject({ continuum: { requestId: "r-3" } });
  });

  it("are rotated, and the oldest go first", async () => {
    const { capture } = captureOf({ fileBytesMax: 100, keptBytesMax: 1500 });
    for (let n = 0; n < 12; n += 1) {
      capture.record(captured({ requestId: `r-${n}` }));
      await capture.flush();
    }
    await capture.close();
    const names = (await files()).sort();
    expect(names.length).toBeLessThan(6);
    const newest = await readFile(join(directory, "capture", "acme", "development-churn", names.at(-1) ?? ""), "utf8");
    expect(newest).toContain('"requestId":"r-11"');
  });

  it("stay inside their directory whatever a tenant is called", async () => {
    const { capture } = captureOf();
    for (const tenant of ["..", "../../x", "a/b"]) capture.record(captured({ tenant }));
    await capture.close();
    expect((await readdir(join(directory, "capture"))).sort()).toEqual(["%2E%2E", "%2E%2E%2F%2E%2E%2Fx", "a%2Fb"]);
    expect(await readdir(directory)).toEqual(["capture"]);
  });

  it("that cannot be written are lost loudly, and serving goes on", async () => {
    await writeFile(join(directory, "capture"), "in the way");
    const { capture, errors } = captureOf();
    capture.record(captured());
    await capture.close();
    expect(capture.dropped).toBe(1);
    expect(errors).toEqual(["capture could not be written"]);
  });
});
