import { basename } from "node:path";
import { signStatement } from "../../../core/evidence/sign.ts";
import { buildTestResult } from "../../../core/evidence/test-result.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { digestOfFile, pathOf, readInput } from "../files.ts";
import { giveBundle } from "../give-bundle.ts";
import { readSigningKey } from "../read-keys.ts";

const REPORT_BYTES_MAX = 32 * 1024 * 1024;

/** A signed statement of what the report says, good or bad: whether it lets anything pass is the verifier's to say. */
export async function attest(context: CommandContext): Promise<number> {
  const report = context.text("junit") ?? "";
  const file = context.text("artifact") ?? "";
  const junit = await readInput(context, { file: report, where: "--junit", bytesMax: REPORT_BYTES_MAX });
  const { digest } = await digestOfFile(pathOf(context, file), { file, where: "--artifact" });
  const built = buildTestResult({ junit, subjects: [{ name: basename(file), digest }] });
  if (!built.ok) throw malformed("cannot read the report", `--junit ${report}`, built.problem.message);
  const key = await readSigningKey(context);
  const { result, passed, failed, warned } = built.value.report;
  await giveBundle(context, {
    bundle: signStatement(built.value.statement, key),
    words: `tests ${result} (${passed} passed, ${failed} failed, ${warned} warned) of ${file}, by ${key.publicKey.keyId}`,
    facts: { keyId: key.publicKey.keyId, subjectDigest: digest, result, passed, failed, warned },
  });
  return 0;
}
