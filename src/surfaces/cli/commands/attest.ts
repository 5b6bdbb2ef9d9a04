import { BUNDLE_BYTES_MAX } from "../../../core/evidence/bundle.ts";
import { authenticateProvenance, SLSA_PROVENANCE_TYPE } from "../../../core/evidence/provenance.ts";
import { signStatement } from "../../../core/evidence/sign.ts";
import { STATEMENT_TYPE, type Statement } from "../../../core/evidence/statement.ts";
import { buildTestResult } from "../../../core/evidence/test-result.ts";
import { canonicalJson } from "../../../core/plan/canonical.ts";
import { parseJsonStrict } from "../../../core/plan/parse.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { digestOfFile, pathOf, readInput, readTextInput } from "../files.ts";
import { giveText } from "../give-text.ts";
import { readSigningKey } from "../read-keys.ts";

const REPORT_BYTES_MAX = 32 * 1024 * 1024;
const PREDICATE_BYTES_MAX = BUNDLE_BYTES_MAX / 4;
const WHAT = "--junit or --provenance";
const ABOUT = "--artifact or --digest";

/** A signed statement about the artifact: how its tests ended, or how it was built. */
export async function attest(context: CommandContext): Promise<number> {
  const [junit, provenance] = [context.text("junit"), context.text("provenance")];
  if (junit !== undefined && provenance !== undefined) throw malformed("two statements", WHAT, "must be one of them");
  if (junit !== undefined) return attestTests(context, junit);
  if (provenance !== undefined) return attestProvenance(context, provenance);
  throw malformed("nothing to state", WHAT, "must name a file");
}

/** What the report says, good or bad: whether it lets anything pass is the verifier's to say. */
async function attestTests(context: CommandContext, report: string): Promise<number> {
  const junit = await readInput(context, { file: report, where: "--junit", bytesMax: REPORT_BYTES_MAX });
  const about = await subjects(context);
  const built = buildTestResult({ junit, subjects: about.digests.map((digest) => ({ digest })) });
  if (!built.ok) throw malformed("cannot read the report", `--junit ${report}`, built.problem.message);
  const { statement } = built.value;
  if (context.flag("unsigned")) return giveUnsigned(context, { statement, about });
  const key = await readSigningKey(context);
  const { keyId } = key.publicKey;
  const { result, passed, failed, warned } = built.value.report;
  await giveText(context, {
    text: signStatement(statement, key),
    words: `tests ${result} (${passed} passed, ${failed} failed, ${warned} warned) of ${about.words}, by ${keyId}`,
    facts: { keyId, ...about.facts, result, passed, failed, warned },
  });
  return 0;
}

/** How the artifact was built, in the words of whoever built it: the predicate of SLSA provenance v1 as it is. */
async function attestProvenance(context: CommandContext, file: string): Promise<number> {
  const text = await readTextInput(context, { file, where: "--provenance", bytesMax: PREDICATE_BYTES_MAX });
  const parsed = parseJsonStrict(text, { bytesMax: PREDICATE_BYTES_MAX });
  if (!parsed.ok) throw malformed("cannot read the provenance", `--provenance ${file}`, parsed.problem.message);
  const about = await subjects(context);
  const statement: Statement = {
    _type: STATEMENT_TYPE,
    subject: about.digests.map((digest) => ({ digest: { sha256: digest.slice("sha256:".length) } })),
    predicateType: SLSA_PROVENANCE_TYPE,
    predicate: parsed.value,
  };
  if (context.flag("unsigned")) return giveUnsigned(context, { statement, about });
  const key = await readSigningKey(context);
  const { keyId, spkiPem } = key.publicKey;
  const bundle = signStatement(statement, key);
  // Read back as a verifier would, so that nothing is signed here which is refused everywhere.
  const read = authenticateProvenance(bundle, { trustedKeys: [{ keyId, spkiPem, purpose: "provenance" }] });
  if (!read.ok) throw malformed("no SLSA provenance v1", `--provenance ${file}`, read.reason);
  const { builderId, buildType } = read.evidence.provenance;
  await giveText(context, {
    text: bundle,
    words: `${about.words} was built by ${builderId}, says ${keyId}`,
    facts: { keyId, ...about.facts, builderId, buildType },
  });
  return 0;
}

/** For a signer elsewhere: `cosign attest-blob --statement` signs it as it is, with a key or without one. */
async function giveUnsigned(
  context: CommandContext,
  { statement, about }: { statement: Statement; about: Subjects },
): Promise<number> {
  if (context.text("key") !== undefined) throw malformed("a key", "--unsigned", "must go without --key");
  await giveText(context, {
    text: canonicalJson(statement),
    words: `a statement about ${about.words}, which nobody signed`,
    facts: { ...about.facts, predicateType: statement.predicateType },
  });
  return 0;
}

interface Subjects {
  digests: string[];
  words: string;
  facts: { subjectDigest: string; subjectDigests: string[] };
}

/** Named by their digests alone: a file's name is a remark that nobody may rely on, and it may hold personal data. */
async function subjects(context: CommandContext): Promise<Subjects> {
  const files = context.list("artifact");
  const digests: string[] = [];
  for (const file of files)
    digests.push((await digestOfFile(pathOf(context, file), { file, where: "--artifact" })).digest);
  for (const digest of context.list("digest")) {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest))
      throw malformed("no digest", `--digest ${digest}`, "must be sha256: and 64 hexadecimal digits in lower case");
    digests.push(digest);
  }
  const [subjectDigest] = digests;
  if (subjectDigest === undefined) throw malformed("nothing to speak of", ABOUT, "must name what was tested or built");
  const subjectDigests = [...new Set(digests)];
  const words = [...files, ...context.list("digest")].join(", ");
  return { digests: subjectDigests, words, facts: { subjectDigest, subjectDigests } };
}
