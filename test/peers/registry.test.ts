import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeCosignKey } from "../../src/core/evidence/cosign-key.ts";
import { type ImageSignature, verifyImageSignature } from "../../src/core/evidence/image-signature.ts";
import { legacySignature } from "../../src/core/evidence/legacy-signature.ts";
import { generateSigningKey, type SigningKey } from "../../src/core/evidence/signing-key.ts";
import type { ImageSignature as FoundSignature } from "../../src/drivers/images/images.ts";
import { ociImages } from "../../src/drivers/images/oci/oci-images.ts";

/** A real registry (Debian's docker-registry) that wants a password, and images in it that a real cosign signed. */
const isHere = (program: string, argument: string) => spawnSync(program, [argument], { stdio: "ignore" }).status === 0;
const REGISTRY = "docker-registry";
const COSIGN = process.env["COSIGN"] ?? "cosign";
const HAS_REGISTRY = isHere(REGISTRY, "--version");
const HAS_COSIGN = isHere(COSIGN, "version");
const WHY_SKIPPED = HAS_REGISTRY ? "" : " (skipped: no docker-registry on the path)";
const WHY_UNSIGNED = HAS_COSIGN ? "" : " (skipped: no cosign in COSIGN or on the path)";

const KEY = generateSigningKey(randomBytes);
const STRANGER = generateSigningKey(randomBytes);
const LOGIN = `Basic ${Buffer.from("ada:secret").toString("base64")}`;
/** bcrypt of "secret", of the least cost. */
const PASSWORDS = "ada:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";
const NONE: ReadonlySet<string> = new Set();

let folder = "";
let registry: ChildProcess | undefined;
let name = "";
const at = (file: string) => join(folder, file);

beforeAll(async () => {
  if (!HAS_REGISTRY) return;
  folder = mkdtempSync(join(tmpdir(), "continuum-registry-"));
  for (const inside of ["home", "storage"]) mkdirSync(at(inside));
  const port = await freePort();
  name = `127.0.0.1:${port}`;
  writeFileSync(at("passwords"), PASSWORDS);
  writeFileSync(at("registry.json"), JSON.stringify(settings(port)));
  writeFileSync(at("signing.json"), JSON.stringify(NO_SERVICES));
  writeFileSync(at("cosign.key"), writeCosignKey(KEY, { password: "correct horse", random: randomBytes }), {
    mode: 0o600,
  });
  registry = spawn(REGISTRY, ["serve", at("registry.json")], { stdio: "ignore" });
  await answering();
});
afterAll(async () => {
  const running = registry;
  if (running !== undefined && running.exitCode === null) {
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill();
    await ended;
  }
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(!HAS_REGISTRY)(`images in a real registry${WHY_SKIPPED}`, () => {
  test("without a signature are found by their digest", async () => {
    const reference = await push("unsigned");
    expect(await reader().read(reference)).toEqual({ digest: reference.split("@")[1], signatures: [] });
    const absent = reference.replace(/[0-9a-f]{64}$/, "0".repeat(64));
    await expect(reader().read(absent)).rejects.toMatchObject({ code: "image-not-found" });
  });

  test("are not read with the wrong password, nor with none", async () => {
    const reference = await push("guarded");
    for (const images of [reader(null), reader("wrong")])
      await expect(images.read(reference)).rejects.toMatchObject({ code: "registry-refused" });
  });

  describe.skipIf(!HAS_COSIGN)(`that a real cosign signed${WHY_UNSIGNED}`, () => {
    const OLDER = ["--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false"];
    test.each([
      ["in the newer form", "bundle", ["--signing-config", "signing.json"]],
      ["in the older form", "simple-signing", OLDER],
    ])("%s are known to be signed, by that key alone", async (_what, form, options) => {
      const reference = await push(form);
      await cosign("sign", "--key", "cosign.key", ...options, "--allow-http-registry", "-y", reference);
      const { digest, signatures } = await reader().read(reference);
      expect(signatures.map((signature) => signature.form)).toEqual([form]);
      for (const found of signatures) {
        const signature = asSigned(found);
        expect(verifyImageSignature(signature, { ...trust(KEY), imageDigest: digest })).toMatchObject({ ok: true });
        expect(verifyImageSignature(signature, { ...trust(STRANGER), imageDigest: digest })).toMatchObject({
          ok: false,
        });
        const other = { ...trust(KEY), imageDigest: `sha256:${"0".repeat(64)}` };
        expect(verifyImageSignature(signature, other)).toMatchObject({ ok: false, code: "wrong-subject" });
      }
    });

    test("in both forms and with an attestation beside them, give the two signatures", async () => {
      const reference = await push("both");
      writeFileSync(at("predicate.json"), "{}");
      const [common, newer] = [
        ["--key", "cosign.key", "--allow-http-registry", "-y"],
        ["--signing-config", "signing.json"],
      ];
      await cosign("sign", ...common, ...OLDER, reference);
      await cosign("attest", ...common, ...newer, "--type", "custom", "--predicate", "predicate.json", reference);
      await cosign("sign", ...common, ...newer, reference);
      const { signatures } = await reader().read(reference);
      expect(signatures.map(({ form }) => form)).toEqual(["simple-signing", "bundle"]);
    });
  });
});

function reader(password: string | null = "secret") {
  const auth = Buffer.from(`ada:${password}`).toString("base64");
  const here = new Set([name]);
  return ociImages({
    rules: { registries: NONE, internalRegistries: here, plainHttpRegistries: here },
    ...(password === null
      ? {}
      : { credentials: async () => Buffer.from(JSON.stringify({ auths: { [name]: { auth } } })) }),
  });
}

function trust({ publicKey: { keyId, spkiPem } }: SigningKey) {
  return { signers: [{ kind: "key" as const, purpose: "image" as const, keyId, spkiPem }] };
}

function asSigned(found: FoundSignature): ImageSignature {
  if (found.form === "bundle") return { kind: "bundle", json: found.bundle };
  const read = legacySignature(found.payload, { "dev.cosignproject.cosign/signature": found.signature });
  if (!read.ok) throw new Error(read.problem.message);
  return read.value;
}

/** The registry reads YAML, of which JSON is a part. */
function settings(port: number): object {
  return {
    version: "0.1",
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: at("storage") } },
    auth: { htpasswd: { realm: "a test", path: at("passwords") } },
    http: { addr: `127.0.0.1:${port}` },
  };
}

/** Services that cosign would otherwise ask on the internet: none. */
const NO_SERVICES = { mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json" };

async function answering(): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const response = await fetch(`http://${name}/v2/`).catch(() => undefined);
    if (response?.status === 401) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the registry does not answer");
}

/** Pushes the smallest image there is, of its own for each word; answers its name. */
async function push(word: string): Promise<string> {
  const repository = `team/${word}`;
  const put = async (bytes: Buffer) => {
    const begun = await ask(`/v2/${repository}/blobs/uploads/`, { method: "POST" });
    const url = new URL(begun.headers.get("location") ?? "", `http://${name}`);
    url.searchParams.set("digest", digestOf(bytes));
    await ask(`${url.pathname}${url.search}`, { method: "PUT", body: new Uint8Array(bytes) });
    return { digest: digestOf(bytes), size: bytes.length };
  };
  const config = await put(
    Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'),
  );
  const layer = await put(Buffer.from(word));
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
    }),
  );
  const headers = { "content-type": type };
  await ask(`/v2/${repository}/manifests/v1`, { method: "PUT", body: new Uint8Array(manifest), headers });
  return `${name}/${repository}@${digestOf(manifest)}`;
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  const headers = { ...init.headers, authorization: LOGIN };
  const response = await fetch(`http://${name}${path}`, { ...init, headers });
  if (!response.ok) throw new Error(`${init.method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function cosign(...args: string[]): Promise<void> {
  const env = { PATH: process.env["PATH"], HOME: at("home"), COSIGN_PASSWORD: "correct horse" };
  const login = ["--registry-username", "ada", "--registry-password", "secret"];
  return new Promise((resolve, reject) => {
    execFile(COSIGN, [...args, ...login], { cwd: folder, env, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`cosign ${args[0]}: ${stdout}${stderr}`));
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
