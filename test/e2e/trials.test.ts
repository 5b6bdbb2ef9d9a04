import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { doctorOf, run, shiftedClock, smallDisk, takenPort } from "./testing/trial.ts";

// A machine that lacks something, with real processes: each ends by itself with one clear line, and leaves nothing half made.

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-trials-"));
  chmodSync(folder, 0o711); // PostgreSQL may run as another user and has to walk through
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a port that another program has", () => {
  it.each([
    ["serve", "CONTINUUM_SERVING_PORT"],
    ["all", "CONTINUUM_API_PORT"],
  ])("ends the start of %s, and says which port", async (role, variable) => {
    const { port, free } = await takenPort();
    const args = ["start", "--role", role, "--data-dir", join(folder, `port-${role}`)];
    const { code, err } = await run(args, { folder, variables: { [variable]: String(port) } });
    free();
    expect(code).toBe(1);
    expect(err).toMatch(
      new RegExp(
        `127\\.0\\.0\\.1:${port}.*another program.*\\(address-in-use\\)|another program listens on 127\\.0\\.0\\.1:${port}`,
      ),
    );
    expect(err).not.toMatch(/internal error|\n\s+at /);
  });
});

it.skipIf(process.platform !== "linux").each(["serve", "all"])(
  "too few open files end the start of %s at once",
  async (role) => {
    const dataDir = join(folder, `files-${role}`);
    const args = ["start", "--role", role, "--data-dir", dataDir];
    const { code, err } = await run(args, { folder, openFiles: 64 });
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(/^continuum: This process may hold 64 files open, .*\(too-many-open-files\)\n$/),
    });
  },
);

describe("a data folder", () => {
  it("that is read-only ends every start, and says so", async (test) => {
    const at = join(folder, "read-only");
    const disk = smallDisk(at, "ro,size=1m");
    if (disk === undefined) return test.skip("this user may not mount");
    try {
      for (const role of ["all", "serve"]) {
        const { code, err } = await run(["start", "--role", role, "--data-dir", at], { folder });
        expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^continuum: .*read-only.*\n$/) });
      }
      const writing = (await doctorOf(at, { folder })).get("data-folder.writing");
      expect(writing).toMatchObject({ state: "broken", mend: expect.stringContaining("read-only") });
    } finally {
      disk.remove();
    }
  });

  it("on a full disk ends the start with nothing half made, and starts once there is space", async (test) => {
    const at = join(folder, "full");
    const disk = smallDisk(at, "size=8m,mode=755");
    if (disk === undefined) return test.skip("this user may not mount");
    try {
      const dataDir = join(at, "data");
      const { code, err } = await run(["start", "--data-dir", dataDir], { folder });
      expect({ code, err }).toEqual({
        code: 1,
        err: expect.stringMatching(/^continuum: the disk is full.*\(disk-full\)\n$/),
      });
      expect(readdirSync(join(dataDir, "postgres"))).toEqual([]);
      disk.change("size=128m");
      const again = await run(["start", "--data-dir", dataDir], { folder, whenReady: async () => undefined });
      expect(again).toMatchObject({ code: 0, err: "" });
    } finally {
      disk.remove();
    }
  });
});

it("a clock that is before the prices were made is found by doctor", async () => {
  const variables = { NODE_OPTIONS: shiftedClock(-400) };
  const prices = (await doctorOf(join(folder, "clock"), { folder, variables })).get("policy.prices");
  expect(prices).toMatchObject({ state: "broken", mend: expect.stringContaining("set this machine's clock (NTP)") });
});
