import { BUNDLE_BYTES_MAX } from "../../../core/evidence/bundle.ts";
import { type ManifestSignature, verifyManifestSignature } from "../../../core/evidence/manifest-signature.ts";
import {
  authenticateModelManifest,
  type ModelRefusal,
  verifyModelSignature,
} from "../../../core/evidence/model-signature.ts";
import { verifyProvenance } from "../../../core/evidence/provenance.ts";
import type { SignerName } from "../../../core/evidence/signer.ts";
import { verifyTestEvidence } from "../../../core/evidence/verify-trusted.ts";
import { sha256Digest } from "../../../core/plan/canonical.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { differencesText } from "../difference-text.ts";
import { EXIT } from "../exit-codes.ts";
import { digestOfFile, pathOf, readInput, readTextInput } from "../files.ts";
import { modelFiles, pathsToIgnore } from "../model-files.ts";
import { readTrust } from "../read-trust.ts";
import { signedBytes, signedKind } from "../signed-target.ts";

const BARE_BYTES_MAX = 64 * 1024;
const SIGNATURE = "--bundle or --signature";

/** What the signature speaks of, and what a person is told when it holds. */
interface Outcome {
  type: string;
  /** Null where it could not be told. */
  subjectDigest: string | null;
  verdict: { ok: true; signer: SignerName; words: string; facts?: Record<string, unknown> } | ModelRefusal;
}

/**
 * Says whether the bundle holds; a bundle that does not is an answer with exit code 1, and no mistake of the input. The
 * one signer that the user named is trusted for what the user asks, and for nothing else.
 */
export async function verify(context: CommandContext): Promise<number> {
  const { type, subjectDigest, verdict } = await judge(context);
  if (!verdict.ok) {
    const { code, reason, differences } = verdict;
    await context.show(
      { ok: false, type, subjectDigest, code, reason, ...(differences === undefined ? {} : { differences }) },
      () => `${context.paint.bad("NOT VERIFIED")}  ${reason}\n${differencesText(differences ?? [])}`,
    );
    return EXIT.failed;
  }
  const { signer, words, facts } = verdict;
  const who = signer.kind === "key" ? signer.keyId : `${signer.subject} (${signer.issuer})`;
  const named = signer.kind === "key" ? { keyId: signer.keyId } : { identity: signer.subject, issuer: signer.issuer };
  await context.show(
    { ok: true, type, subjectDigest, ...named, ...facts },
    () => `${context.paint.good("VERIFIED")}  ${words}, says ${who}\n`,
  );
  return EXIT.ok;
}

async function judge(context: CommandContext): Promise<Outcome> {
  const target = context.argument(0);
  const type = context.text("type");
  if (type !== "provenance" && context.list("builder").length > 0)
    throw malformed("a builder", "--builder", "goes with --type provenance");
  if (type === "tests") return judgeTests(context, target);
  if (type === "provenance") return judgeProvenance(context, target);
  const kind = await signedKind(context, target);
  return kind === "model" ? judgeModel(context, target) : judgeSignature(context, { target, kind });
}

async function judgeSignature(
  context: CommandContext,
  { target, kind }: { target: string; kind: "file" | "plan" },
): Promise<Outcome> {
  const signature = await readSignature(context);
  const trust = await readTrust(context, "manifest");
  const manifest = await signedBytes(context, { target, kind });
  const verdict = verifyManifestSignature(signature, { ...trust, manifest });
  return {
    type: kind === "file" ? "signature" : kind,
    subjectDigest: sha256Digest(manifest),
    verdict: verdict.ok ? { ...verdict, words: `this ${kind} was signed` } : verdict,
  };
}

async function judgeTests(context: CommandContext, target: string): Promise<Outcome> {
  const subjectDigest = await digestOfTarget(context, target);
  const bundle = await readBundleFile(context);
  const verdict = verifyTestEvidence(bundle, { ...(await readTrust(context, "tests")), subjectDigest });
  const words = "the tests of this file passed";
  return {
    ...{ type: "tests", subjectDigest },
    verdict: verdict.ok ? { ok: true, signer: verdict.evidence.signer, words } : verdict,
  };
}

async function judgeProvenance(context: CommandContext, target: string): Promise<Outcome> {
  const builders = context.list("builder");
  if (builders.length === 0)
    throw malformed("--builder is missing", "verify", "it is the id of the builder that may have built this, exactly");
  const subjectDigest = await digestOfTarget(context, target);
  const bundle = await readBundleFile(context);
  const trust = await readTrust(context, "provenance");
  const verdict = verifyProvenance(bundle, { ...trust, subjectDigest, builders });
  if (!verdict.ok) return { type: "provenance", subjectDigest, verdict };
  const { signer, provenance } = verdict.evidence;
  const { builderId, buildType } = provenance;
  const told = { ok: true as const, signer, words: `${builderId} built this file`, facts: { builderId, buildType } };
  return { type: "provenance", subjectDigest, verdict: told };
}

/** The signature is judged before a byte of the model is read: a model is large, and a stranger's list says nothing. */
async function judgeModel(context: CommandContext, folder: string): Promise<Outcome> {
  if (context.text("signature") !== undefined)
    throw malformed("a bare signature", "--signature", "is for files and plans; a model's is a bundle");
  const bundle = await readBundleFile(context);
  const trust = await readTrust(context, "manifest");
  const authentic = authenticateModelManifest(bundle, trust);
  if (!authentic.ok) return { type: "model", subjectDigest: null, verdict: authentic };
  const { manifest } = authentic.evidence;
  const ignored = pathsToIgnore(context, { folder, beside: [context.text("bundle")], manifest });
  const files = await modelFiles(context, { folder, ignored, links: "report" });
  const verdict = verifyModelSignature(bundle, { ...trust, files, ignored });
  const about = { type: "model", subjectDigest: manifest.digest };
  if (!verdict.ok) return { ...about, verdict };
  const words = `all ${manifest.files.length} files of this model were signed`;
  return {
    ...about,
    verdict: { ok: true, signer: verdict.evidence.signer, words, facts: { files: manifest.files.length } },
  };
}

/** Of a file, or given as it is: of an image or of what lies elsewhere. */
async function digestOfTarget(context: CommandContext, target: string): Promise<string> {
  if (/^sha256:[0-9a-f]{64}$/.test(target)) return target;
  if (target === "-") return sha256Digest(await signedBytes(context, { target, kind: "file" }));
  return (await digestOfFile(pathOf(context, target), { file: target, where: "the file" })).digest;
}

async function readSignature(context: CommandContext): Promise<ManifestSignature> {
  const bare = context.text("signature");
  if (bare === undefined) return { kind: "bundle", json: await readBundleFile(context) };
  if (context.text("bundle") !== undefined) throw malformed("two signatures", SIGNATURE, "must be one of them");
  return {
    kind: "bare",
    base64: await readTextInput(context, { file: bare, where: "--signature", bytesMax: BARE_BYTES_MAX }),
  };
}

function readBundleFile(context: CommandContext): Promise<Uint8Array> {
  const file = context.text("bundle");
  if (file === undefined) throw malformed("no signature", SIGNATURE, "must name a file");
  return readInput(context, { file, where: "--bundle", bytesMax: BUNDLE_BYTES_MAX });
}
