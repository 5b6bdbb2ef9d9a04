import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeDsseBundle } from "./bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, signEnvelope } from "./dsse.ts";
import {
  compareFiles,
  MODEL_DIGESTS_TYPE,
  MODEL_SIGNATURE_TYPE,
  type ModelFile,
  modelManifest,
  modelStatement,
  readModelManifest,
  writeModelManifest,
} from "./model-manifest.ts";
import { verifyModelSignature } from "./model-signature.ts";
import { signStatement } from "./sign.ts";
import type { Purpose, Signer } from "./signer.ts";
import { generateSigningKey } from "./signing-key.ts";
import type { Statement } from "./statement.ts";

const digestOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const FILES: ModelFile[] = [
  { path: "tokenizer/vocab.json", digest: digestOf("vocab"), sizeBytes: 5 },
  { path: "model.onnx", digest: digestOf("model"), sizeBytes: 5 },
  { path: "Config.json", digest: digestOf("config"), sizeBytes: 6 },
];
const KEY = generateSigningKey(randomBytes);
const signer = (purpose: Purpose): Signer => ({
  kind: "key",
  purpose,
  keyId: KEY.publicKey.keyId,
  spkiPem: KEY.publicKey.spkiPem,
});

function made(files: readonly ModelFile[] = FILES) {
  const manifest = modelManifest("classifier", files);
  if (!manifest.ok) throw new Error(manifest.problem.message);
  return manifest.value;
}

describe("a model manifest", () => {
  test("is the same for the same files in any order, in the order of their paths' bytes", () => {
    const manifest = made();
    expect(manifest.files.map(({ path }) => path)).toEqual(["Config.json", "model.onnx", "tokenizer/vocab.json"]);
    expect(made([...FILES].reverse())).toEqual(manifest);
    const over = createHash("sha256");
    for (const { digest } of manifest.files) over.update(Buffer.from(digest.slice(7), "hex"));
    expect(manifest.digest).toBe(`sha256:${over.digest("hex")}`);
  });

  test("is read back from its statement, and from the bytes that are signed", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z0-9é😀]{1,8}(\/[a-z0-9]{1,4}){0,2}$/u), { minLength: 1, maxLength: 12 }),
        (paths) => {
          const manifest = modelManifest(
            "m",
            paths.map((path) => ({ path, digest: digestOf(path) })),
          );
          fc.pre(manifest.ok);
          if (!manifest.ok) return;
          const statement: Statement = JSON.parse(Buffer.from(writeModelManifest(manifest.value)).toString("utf8"));
          expect(statement).toEqual(modelStatement(manifest.value));
          expect(readModelManifest(statement)).toEqual(manifest);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("is signed as exactly the bytes of its file", () => {
    const bundle = JSON.parse(signStatement(modelStatement(made()), KEY));
    expect(Buffer.from(bundle.dsseEnvelope.payload, "base64")).toEqual(Buffer.from(writeModelManifest(made())));
  });

  test.each<[string, ModelFile[]]>([
    ["no file", []],
    ["a path outside", [{ path: "../model.onnx", digest: digestOf("x") }]],
    ["a path that turns back", [{ path: "a/../../b", digest: digestOf("x") }]],
    ["an absolute path", [{ path: "/etc/passwd", digest: digestOf("x") }]],
    ["a drive", [{ path: "C:/model", digest: digestOf("x") }]],
    ["a backslash", [{ path: "a\\b", digest: digestOf("x") }]],
    ["an empty part", [{ path: "a//b", digest: digestOf("x") }]],
    ["an empty path", [{ path: "", digest: digestOf("x") }]],
    ["a line feed", [{ path: "a\nb", digest: digestOf("x") }]],
    ["half a character", [{ path: "a\ud800", digest: digestOf("x") }]],
    ["a symbolic link", [{ path: "a", digest: digestOf("x"), isSymlink: true }]],
    [
      "a path twice",
      [
        { path: "a", digest: digestOf("x") },
        { path: "a", digest: digestOf("x") },
      ],
    ],
    [
      "two paths that differ in case",
      [
        { path: "a", digest: digestOf("x") },
        { path: "A", digest: digestOf("y") },
      ],
    ],
    [
      "two paths that are composed differently",
      [
        { path: "é", digest: digestOf("x") },
        { path: "e\u0301", digest: digestOf("y") },
      ],
    ],
    [
      "the folder itself beside a file",
      [
        { path: ".", digest: digestOf("x") },
        { path: "b", digest: digestOf("y") },
      ],
    ],
    ["a digest of another kind", [{ path: "a", digest: "sha512:00" }]],
    ["a digest in capitals", [{ path: "a", digest: digestOf("x").toUpperCase() }]],
  ])("is refused with %s", (_, files) => {
    expect(modelManifest("m", files)).toMatchObject({ ok: false });
  });
});

describe("a statement that is no model manifest", () => {
  const good = modelStatement(made());
  const predicate = good.predicate as { serialization: object; resources: object[] };
  const [first = {}, ...rest] = predicate.resources;
  test.each<[string, Partial<Statement>]>([
    ["another type", { predicateType: "https://model_signing/signature/v2.0" }],
    ["a subject that is not the digest over the files", { subject: [{ digest: { sha256: "0".repeat(64) } }] }],
    ["two subjects", { subject: [...good.subject, ...good.subject] }],
    ["a subject without a SHA-256", { subject: [{ digest: { sha512: "00" } }] }],
    ["its files in another order", { predicate: { ...predicate, resources: [...rest, first] } }],
    ["a file left out", { predicate: { ...predicate, resources: rest } }],
    [
      "links allowed",
      { predicate: { ...predicate, serialization: { ...predicate.serialization, allow_symlinks: true } } },
    ],
    [
      "parts of files",
      { predicate: { ...predicate, serialization: { ...predicate.serialization, method: "shards" } } },
    ],
    [
      "another hash",
      { predicate: { ...predicate, serialization: { ...predicate.serialization, hash_type: "blake2b" } } },
    ],
    [
      "a file under another hash",
      { predicate: { ...predicate, resources: [{ ...first, algorithm: "md5" }, ...rest] } },
    ],
    ["a path outside", { predicate: { ...predicate, resources: [{ ...first, name: "../x" }, ...rest] } }],
    ["a field of no meaning", { predicate: { ...predicate, trusted: true } }],
  ])("is refused: %s", (_, change) => {
    expect(readModelManifest({ ...good, ...change })).toMatchObject({ ok: false });
  });

  test("is read in the form of the first releases, where the files are the subjects", () => {
    const subject = made().files.map(({ path, digest }) => ({ name: path, digest: { sha256: digest.slice(7) } }));
    const older = { ...good, predicateType: MODEL_DIGESTS_TYPE, subject, predicate: {} };
    expect(readModelManifest(older)).toMatchObject({ ok: true, value: { files: made().files, digest: made().digest } });
    expect(readModelManifest({ ...older, subject: [{ digest: { sha256: "0".repeat(64) } }] })).toMatchObject({
      ok: false,
    });
  });
});

describe("a signed model", () => {
  const bundle = signStatement(modelStatement(made()), KEY);
  const check = (files: readonly ModelFile[], options: { ignored?: string[]; purpose?: Purpose } = {}) =>
    verifyModelSignature(bundle, {
      signers: [signer(options.purpose ?? "manifest")],
      files,
      ...(options.ignored === undefined ? {} : { ignored: options.ignored }),
    });
  const [vocab, model, config] = FILES;
  if (!vocab || !model || !config) throw new Error("there are three files");

  test("is accepted with exactly its files, and beside what the verifier leaves out", () => {
    expect(check(FILES)).toMatchObject({
      ok: true,
      evidence: { manifest: { name: "classifier", digest: made().digest } },
    });
    const more = [...FILES, { path: ".git/HEAD", digest: digestOf("x") }, { path: "model.sig", digest: digestOf("y") }];
    expect(check(more, { ignored: [".git", "model.sig"] }).ok).toBe(true);
  });

  test.each<[string, ModelFile[], object[]]>([
    ["changed", [vocab, { ...model, digest: digestOf("evil") }, config], [{ what: "changed", path: "model.onnx" }]],
    ["missing", [vocab, model], [{ what: "missing", path: "Config.json" }]],
    ["added", [...FILES, { path: "x.py", digest: digestOf("x") }], [{ what: "extra", path: "x.py" }]],
    [
      "renamed",
      [vocab, { ...model, path: "b.onnx" }, config],
      [{ what: "renamed", path: "b.onnx", signedPath: "model.onnx" }],
    ],
    [
      "exchanged",
      [{ ...vocab, path: model.path }, { ...model, path: vocab.path }, config],
      [
        { what: "changed", path: "model.onnx" },
        { what: "changed", path: "tokenizer/vocab.json" },
      ],
    ],
    ["made a link", [vocab, { ...model, isSymlink: true }, config], [{ what: "symlink", path: "model.onnx" }]],
    ["copied", [...FILES, { ...model, path: "copy.onnx" }], [{ what: "extra", path: "copy.onnx" }]],
    ["listed twice", [...FILES, model], [{ what: "extra", path: "model.onnx" }]],
    [
      "listed twice with other bytes",
      [{ ...model, digest: digestOf("evil") }, ...FILES],
      [
        { what: "changed", path: "model.onnx" },
        { what: "extra", path: "model.onnx" },
      ],
    ],
    [
      "hidden behind a name like an ignored one",
      [...FILES, { path: ".gitx", digest: digestOf("x") }],
      [{ what: "extra", path: ".gitx" }],
    ],
  ])("is refused with a file %s", (_, files, differences) => {
    expect(check(files, { ignored: [".git"] })).toMatchObject({ ok: false, code: "wrong-files", differences });
  });

  test("is refused for another purpose, and as another kind of statement", () => {
    expect(check(FILES, { purpose: "image" })).toMatchObject({ code: "wrong-purpose" });
    const tests = signStatement({ ...modelStatement(made()), predicateType: "https://example.com/v1" }, KEY);
    const required = { signers: [signer("manifest")], files: FILES };
    expect(verifyModelSignature(tests, required)).toMatchObject({ code: "wrong-predicate-type" });
    const broken = signStatement({ ...modelStatement(made()), predicate: {} }, KEY);
    expect(verifyModelSignature(broken, required)).toMatchObject({ code: "malformed-statement" });
  });

  test("does not choose by itself what is left out", () => {
    const { serialization, resources } = modelStatement(made()).predicate as {
      serialization: object;
      resources: object;
    };
    const predicate = { serialization: { ...serialization, ignore_paths: ["evil"] }, resources };
    const payload = Buffer.from(JSON.stringify({ ...modelStatement(made()), predicate }));
    const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload };
    const signed = writeDsseBundle(KEY.publicKey, { ...envelope, signature: signEnvelope(KEY, envelope) });
    const files = [...FILES, { path: "evil/x.py", digest: digestOf("x") }];
    expect(verifyModelSignature(signed, { signers: [signer("manifest")], files })).toMatchObject({
      code: "wrong-files",
      differences: [{ what: "extra", path: "evil/x.py" }],
    });
  });
});

test("files are compared in time that does not grow with their square", () => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({ path: `f${index}`, digest: digestOf(`${index}`) }));
  const moved = many.map((file) => ({ ...file, path: `moved/${file.path}` }));
  const before = process.cpuUsage();
  expect(compareFiles(made(many), moved)).toHaveLength(20_000);
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000);
});

test("the manifest's type is the one that others write", () => {
  expect(MODEL_SIGNATURE_TYPE).toBe("https://model_signing/signature/v1.0");
});
