import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { selfSigned } from "../surfaces/http/testing/self-signed.ts";
import { composeTls } from "./compose-tls.ts";

const folder = mkdtempSync(join(tmpdir(), "continuum-tls-"));
const file = (name: string) => join(folder, name);
let stop: (() => void) | undefined;
afterEach(() => {
  stop?.();
  rmSync(folder, { recursive: true, force: true });
});

test("without a certificate there is no TLS; with one, a replaced file is told of and read", async () => {
  expect(composeTls({ tls: {} })).toBeUndefined();
  const [first, second] = [selfSigned(), selfSigned()];
  writeFileSync(file("cert.pem"), first.certificate);
  writeFileSync(file("key.pem"), first.key, { mode: 0o600 });
  const source = composeTls({ tls: { certificate: file("cert.pem"), key: `file:${file("key.pem")}` } });
  expect(await source?.read()).toEqual(first);
  const { promise, resolve } = Promise.withResolvers<string>();
  let moment = "too early";
  stop = source?.watch(() => resolve(moment));
  // A log in the same folder is no certificate, and what is told of certificates must not lead to more of it.
  writeFileSync(file("log"), "something else");
  await sleep(700);
  moment = "in time";
  // As renewing programs do it: a new file takes the old one's name.
  writeFileSync(file("new-key"), second.key, { mode: 0o600 });
  writeFileSync(file("new-cert"), second.certificate);
  renameSync(file("new-key"), file("key.pem"));
  renameSync(file("new-cert"), file("cert.pem"));
  expect(await promise).toBe("in time");
  expect(await source?.read()).toEqual(second);
  const gone = composeTls({ tls: { certificate: file("none.pem"), key: `file:${file("key.pem")}` } });
  await expect(gone?.read()).rejects.toMatchObject({ code: "bad-certificate" });
});
