import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ClientSettingsOptions, loadClientSettings, moveClientFile, writeClientFile } from "./client-settings.ts";

const TOKEN = "ctm_abc_0123456789";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-client-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function load(options: Partial<ClientSettingsOptions> & { variables?: Record<string, string> } = {}) {
  const { variables = {}, ...rest } = options;
  const environment = { variables, homeDir: "/home/ada", workingDir: folder, hostName: "host-1" };
  return loadClientSettings({ environment, dataDir: folder, ...rest });
}

describe("loadClientSettings", () => {
  it("reads what `start` wrote, in a file that only its owner reads", () => {
    writeClientFile(folder, { url: "http://127.0.0.1:7411", token: TOKEN });
    expect(statSync(join(folder, "cli.json")).mode & 0o777).toBe(0o600);
    expect(load()).toEqual({ ok: true, value: { url: "http://127.0.0.1:7411", token: TOKEN, source: "data folder" } });
  });

  it("follows a server that listens elsewhere after it was started again", () => {
    moveClientFile(folder, "http://127.0.0.1:7412");
    expect(load()).toEqual({ ok: true, value: { url: "http://127.0.0.1:7400", source: "default" } });
    writeClientFile(folder, { url: "http://127.0.0.1:7411", token: TOKEN });
    moveClientFile(folder, "http://127.0.0.1:7412");
    expect(load()).toEqual({ ok: true, value: { url: "http://127.0.0.1:7412", token: TOKEN, source: "data folder" } });
    expect(statSync(join(folder, "cli.json")).mode & 0o777).toBe(0o600);
  });

  it("never sends the local server's token to another server", () => {
    writeClientFile(folder, { url: "http://127.0.0.1:7411", token: TOKEN });
    expect(load({ url: "https://elsewhere.example" })).toEqual({
      ok: true,
      value: { url: "https://elsewhere.example", source: "option" },
    });
  });

  it("lets an option win over the environment", () => {
    const variables = { CONTINUUM_URL: "https://a.example/", CONTINUUM_TOKEN: TOKEN };
    expect(load({ variables })).toEqual({
      ok: true,
      value: { url: "https://a.example", token: TOKEN, source: "environment" },
    });
    expect(load({ variables, url: "https://b.example" })).toMatchObject({ value: { url: "https://b.example" } });
  });

  it.each(["http://10.0.0.7:7400", "http://0.0.0.0:7400", "http://127.0.0.1.example:7400"])(
    "refuses plain HTTP to %s",
    (url) => {
      expect(load({ url })).toMatchObject({ ok: false });
      expect(load({ url, allowInsecureHttp: true })).toMatchObject({ ok: true });
    },
  );

  it.each(["ftp://x", "nonsense", "https://user:secret@x.example"])("refuses %s", (url) => {
    const result = load({ url });
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain("secret");
  });

  it("refuses a token that would break its header, and does not repeat it", () => {
    const result = load({ variables: { CONTINUUM_TOKEN: "ctm_x\r\nx-admin: 1" } });
    expect(result).toMatchObject({ ok: false });
    expect(JSON.stringify(result)).not.toContain("x-admin");
  });

  it("refuses a data folder's file that others may read, or that is damaged", () => {
    writeClientFile(folder, { url: "http://127.0.0.1:1", token: TOKEN });
    chmodSync(join(folder, "cli.json"), 0o644);
    expect(load()).toMatchObject({ ok: false, problem: { message: expect.stringContaining("mode 0600") } });
    rmSync(join(folder, "cli.json"));
    writeFileSync(join(folder, "cli.json"), "{", { mode: 0o600 });
    expect(load()).toMatchObject({ ok: false, problem: { message: expect.stringContaining("damaged") } });
  });
});
