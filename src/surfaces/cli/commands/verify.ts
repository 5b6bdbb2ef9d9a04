import { createHash } from "node:crypto";
import { BUNDLE_BYTES_MAX } from "../../../core/evidence/bundle.ts";
import { verifyMessage, verifyTestEvidence } from "../../../core/evidence/verify-trusted.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { readInput } from "../files.ts";
import { readPublicKey } from "../read-keys.ts";

const FILE_BYTES_MAX = 512 * 1024 * 1024;
/** The one key that the user gave is trusted for what the user asks, and for nothing else. */
const SIGNATURE_PURPOSE = "signature";

/** Says whether the bundle holds; a bundle that does not is an answer with exit code 1, and no mistake of the input. */
export async function verify(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  const isTests = context.text("type") === "tests";
  const message = await readInput(context, { file, where: "the file", bytesMax: FILE_BYTES_MAX });
  const bundle = await readInput(context, {
    file: context.text("bundle") ?? "",
    where: "--bundle",
    bytesMax: BUNDLE_BYTES_MAX,
  });
  const { keyId, spkiPem } = await readPublicKey(context, { file: context.text("key") ?? "", where: "--key" });
  const trustedKeys = [{ keyId, spkiPem, purpose: isTests ? "tests" : SIGNATURE_PURPOSE }];
  const subjectDigest = `sha256:${createHash("sha256").update(message).digest("hex")}`;
  const verdict = isTests
    ? verifyTestEvidence(bundle, { trustedKeys, subjectDigest })
    : verifyMessage(bundle, { trustedKeys, purpose: SIGNATURE_PURPOSE, message });
  if (!verdict.ok) {
    await context.show(
      { ok: false, code: verdict.code, reason: verdict.reason, subjectDigest },
      () => `${context.paint.bad("NOT VERIFIED")}  ${verdict.reason}\n`,
    );
    return EXIT.failed;
  }
  const what = isTests ? "the tests of this file passed" : "this file was signed";
  await context.show(
    { ok: true, keyId, subjectDigest, type: isTests ? "tests" : "signature" },
    () => `${context.paint.good("VERIFIED")}  ${what}, says ${keyId}\n`,
  );
  return EXIT.ok;
}
