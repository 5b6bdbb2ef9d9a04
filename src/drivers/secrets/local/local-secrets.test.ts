import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { secretsConformance } from "../secrets.conformance.ts";
import { createSecretFile } from "./create-secret-file.ts";
import { localSecrets } from "./local-secrets.ts";

let base = "";
let made = 0;
const SECRET = Buffer.from([0, 10, 255, 32, 115]);

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "continuum-secrets-"));
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function secretFile(bytes: Uint8Array, mode = 0o600): Promise<string> {
  const path = join(base, `secret ${made++}`);
  await writeFile(path, bytes);
  await chmod(path, mode);
  return path;
}

secretsConformance("local", async () => ({
  secrets: localSecrets({ environment: { STORE_KEY: "grün", EMPTY: "" } }),
  present: [
    { reference: `file:${await secretFile(SECRET)}`, bytes: SECRET },
    { reference: "env:STORE_KEY", bytes: Buffer.from("grün") },
  ],
  absent: [`file:${join(base, "nothing")}`, "env:NOTHING", "env:EMPTY", "env:toString"],
}));

describe("a secret file", () => {
  const secrets = localSecrets({ environment: {} });

  test.skipIf(process.platform === "win32").each([0o604, 0o644, 0o660, 0o602, 0o601])(
    "is refused when others may use it: %o",
    async (mode) => {
      const path = await secretFile(Buffer.from("hunter2"), mode);
      await expect(secrets.read(`file:${path}`)).rejects.toMatchObject({
        code: "secret-malformed",
        message: expect.stringMatching(/^(?!.*hunter2).*make it 600 or 640$/),
      });
    },
  );

  test("is read when only its owner and its group may read it", async () => {
    const path = await secretFile(SECRET, 0o440);
    expect(Buffer.from(await secrets.read(`file:${path}`))).toEqual(SECRET);
  });

  test("is refused when it is empty, too large or a folder", async () => {
    const empty = await secretFile(Buffer.alloc(0));
    const large = await secretFile(Buffer.alloc(70_000));
    for (const path of [empty, large, base]) {
      await expect(secrets.read(`file:${path}`)).rejects.toMatchObject({ code: "secret-malformed" });
    }
  });

  test("is made once, for its owner only, and never written over", async () => {
    const path = join(base, "made");
    const made = await Promise.all([createSecretFile(path, SECRET), createSecretFile(path, Buffer.from("other"))]);
    expect(made.filter(Boolean)).toHaveLength(1);
    const kept = await readFile(path);
    expect(await createSecretFile(path, Buffer.from("third"))).toBe(false);
    expect(await readFile(path)).toEqual(kept);
    if (process.platform !== "win32") expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(Buffer.from(await secrets.read(`file:${path}`))).toEqual(kept);
  });
});
