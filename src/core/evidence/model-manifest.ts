import { createHash } from "node:crypto";
import { z } from "zod";
import type { Parsed } from "../error.ts";
import { canonicalJson } from "../plan/canonical.ts";
import { firstProblem } from "./first-problem.ts";
import { STATEMENT_TYPE, type Statement } from "./statement.ts";

/**
 * The model manifest: the SHA-256 of every file of a model, in OpenSSF Model Signing's form. Source:
 * sigstore/model-transparency, the predicate `https://model_signing/signature/v1.0`. It is an in-toto statement whose one
 * subject is the digest over all the files' digests in order.
 */

export const MODEL_SIGNATURE_TYPE = "https://model_signing/signature/v1.0";
/** What the first releases of Model Signing wrote: the files stand as subjects. It is read and never written. */
export const MODEL_DIGESTS_TYPE = "https://model_signing/Digests/v0.1";

/** A file of a model as it lies in a folder, an archive or a registry. */
export interface ModelFile {
  /** Relative to the model's folder, with `/` between its parts; `.` for a model that is one file. */
  path: string;
  /** `sha256:...` of its bytes. */
  digest: string;
  sizeBytes?: number;
  /** A link is never followed: what it leads to can change after the signature. */
  isSymlink?: boolean;
}

export interface ModelManifest {
  /** What the model is called; a remark. */
  name: string;
  files: readonly { path: string; digest: string }[];
  /** `sha256:...` over the files' digests: the subject of the statement. */
  digest: string;
}

/** The manifest of a list of files, in the one order of their paths' bytes. */
export function modelManifest(name: string, files: readonly ModelFile[]): Parsed<ModelManifest> {
  const problem = filesProblem(files);
  if (problem !== null) return { ok: false, problem };
  const sorted = files
    .map(({ path, digest }) => ({ path, digest }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return { ok: true, value: { name, files: sorted, digest: digestOf(sorted) } };
}

/** The statement that is signed for a manifest. */
export function modelStatement(manifest: ModelManifest): Statement {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: manifest.name, digest: { sha256: hexOf(manifest.digest) } }],
    predicateType: MODEL_SIGNATURE_TYPE,
    predicate: {
      serialization: { method: "files", hash_type: "sha256", allow_symlinks: false },
      resources: manifest.files.map(({ path, digest }) => ({
        name: path,
        algorithm: "sha256",
        digest: hexOf(digest),
      })),
    },
  };
}

/** The manifest as a file: exactly the bytes that `signStatement` signs for it. */
export function writeModelManifest(manifest: ModelManifest): Uint8Array {
  return new TextEncoder().encode(canonicalJson(modelStatement(manifest)));
}

/** The manifest that a statement holds. The subject must be the digest over the files, or the two say different things. */
export function readModelManifest(statement: Statement): Parsed<ModelManifest> {
  if (statement.predicateType === MODEL_DIGESTS_TYPE) return readDigests(statement);
  if (statement.predicateType !== MODEL_SIGNATURE_TYPE) return bad("/predicateType", `must be ${MODEL_SIGNATURE_TYPE}`);
  const parsed = predicateSchema.safeParse(statement.predicate);
  if (!parsed.success) {
    const { path, message } = firstProblem(parsed.error);
    return bad(`/predicate${path}`, message);
  }
  const files = parsed.data.resources.map(({ name, digest }) => ({ path: name, digest: `sha256:${digest}` }));
  const problem = filesProblem(files);
  if (problem !== null) return bad(`/predicate/resources${problem.path}`, problem.message);
  const digest = digestOf(files);
  const [subject, ...others] = statement.subject;
  if (subject === undefined || others.length > 0) return bad("/subject", "must name one model");
  if (subject.digest["sha256"] !== hexOf(digest)) return bad("/subject/0/digest", "is not the digest over the files");
  return { ok: true, value: { name: subject.name ?? "", files, digest } };
}

function readDigests({ subject }: Statement): Parsed<ModelManifest> {
  const files = subject.map(({ name = "", digest }) => ({ path: name, digest: `sha256:${digest["sha256"] ?? ""}` }));
  const problem = filesProblem(files);
  if (problem !== null) return bad(`/subject${problem.path}`, problem.message);
  return { ok: true, value: { name: "", files, digest: digestOf(files) } };
}

export interface FileDifference {
  what: "changed" | "missing" | "extra" | "renamed" | "symlink";
  path: string;
  /** The path that a renamed file has in the manifest. */
  signedPath?: string;
}

/**
 * Where the files differ from the manifest; empty when they are exactly the ones that were signed. `ignored` are paths
 * (files, or folders with all in them) that the one who verifies leaves out, such as the signature itself. What a
 * signature says of paths to ignore is not believed: it would let a file be added.
 */
export function compareFiles(
  manifest: ModelManifest,
  files: readonly ModelFile[],
  ignored: readonly string[] = [],
): FileDifference[] {
  const isIgnored = (path: string): boolean => ignored.some((one) => path === one || path.startsWith(`${one}/`));
  const present = files.filter(({ path }) => !isIgnored(path));
  const signed = new Map(manifest.files.map(({ path, digest }) => [path, digest]));
  const found = new Map(present.map((file) => [file.path, file]));
  const missing = new Set([...signed.keys()].filter((path) => !found.has(path)));
  const movable = Map.groupBy(missing, (path) => signed.get(path));
  const differences: FileDifference[] = [];
  for (const { path, digest, isSymlink } of present) {
    const expected = signed.get(path);
    if (isSymlink === true) differences.push({ what: "symlink", path });
    else if (expected !== undefined && expected !== digest) differences.push({ what: "changed", path });
    if (isSymlink === true || expected !== undefined) continue;
    const signedPath = movable.get(digest)?.pop();
    if (signedPath === undefined) differences.push({ what: "extra", path });
    else differences.push({ what: "renamed", path, signedPath });
    if (signedPath !== undefined) missing.delete(signedPath);
  }
  for (const path of missing) differences.push({ what: "missing", path });
  if (present.length !== found.size) differences.push({ what: "extra", path: twiceNamed(present) });
  return differences;
}

const FILES_MAX = 100_000;
const PATH_CHARACTERS_MAX = 4096;
const hex = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits in lower case");

const predicateSchema = z.strictObject({
  serialization: z.strictObject({
    method: z.literal("files", "must be files: digests of parts of files are not read"),
    hash_type: z.literal("sha256", "must be sha256"),
    allow_symlinks: z.literal(false, "must be false: a link can change where it leads after the signature"),
    ignore_paths: z.array(z.string().max(PATH_CHARACTERS_MAX)).max(1024).optional(),
  }),
  resources: z
    .array(
      z.strictObject({
        name: z.string(),
        algorithm: z.literal("sha256", "must be sha256"),
        digest: hex,
      }),
    )
    .min(1)
    .max(FILES_MAX),
});

function filesProblem(files: readonly ModelFile[]): { path: string; message: string } | null {
  if (files.length === 0) return { path: "", message: "a model has at least one file" };
  if (files.length > FILES_MAX) return { path: "", message: `a model has at most ${FILES_MAX} files` };
  const seen = new Set<string>();
  for (const [index, { path, digest, isSymlink }] of files.entries()) {
    const at = `/${index}`;
    if (isSymlink === true) return { path: at, message: "is a symbolic link; put the file itself there" };
    const wrong = path === "." && files.length === 1 ? null : pathProblem(path);
    if (wrong !== null) return { path: at, message: wrong };
    if (!/^sha256:[0-9a-f]{64}$/.test(digest))
      return { path: at, message: "its digest must be sha256: and 64 hexadecimal digits in lower case" };
    // Where a file system folds case or composes letters, two such files would be one.
    const folded = path.normalize("NFC").toLowerCase();
    if (seen.has(folded)) return { path: at, message: "has a path that some file systems cannot tell from another's" };
    seen.add(folded);
  }
  return null;
}

/** A path that means one file inside the folder on every system. */
function pathProblem(path: string): string | null {
  if (path.length > PATH_CHARACTERS_MAX) return `a path has at most ${PATH_CHARACTERS_MAX} characters`;
  if (!path.isWellFormed() || /[\p{Cc}\\]/u.test(path))
    return "a path must be Unicode without control characters and backslashes";
  if (/^[A-Za-z]:/.test(path)) return "a path must not begin with a drive";
  const isInside = path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  return isInside ? null : "a path must lead to a file inside the model's folder, without . and .. in it";
}

function twiceNamed(files: readonly ModelFile[]): string {
  const seen = new Set<string>();
  return files.find(({ path }) => seen.size === seen.add(path).size)?.path ?? "";
}

function digestOf(files: readonly { digest: string }[]): string {
  const hash = createHash("sha256");
  for (const { digest } of files) hash.update(Buffer.from(hexOf(digest), "hex"));
  return `sha256:${hash.digest("hex")}`;
}

function hexOf(digest: string): string {
  return digest.slice("sha256:".length);
}

function bad(path: string, message: string): Parsed<never> {
  return { ok: false, problem: { path, message } };
}
