import type { Purpose } from "../../core/evidence/signer.ts";
import type { TrustInput } from "../../core/evidence/trust.ts";
import { readTrustedRoot } from "../../core/evidence/trusted-root.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { readInput } from "./files.ts";
import { readVerificationKey } from "./read-keys.ts";

const ROOT_BYTES_MAX = 1024 * 1024;
const WHERE = "--key, or --identity with --issuer and --trusted-root";

/** Whom the user trusts for the one question asked: a key, or an identity under a trusted root. Both are compared exactly. */
export async function readTrust(context: CommandContext, purpose: Purpose): Promise<TrustInput> {
  const [key, identity, issuer] = [context.text("key"), context.text("identity"), context.text("issuer")];
  const root = context.text("trustedRoot");
  const isKeyless = identity !== undefined || issuer !== undefined || root !== undefined;
  if ((key === undefined) === !isKeyless)
    throw malformed(key === undefined ? "nobody to trust" : "two ways of trust", WHERE, "must be one of them");
  const nowMs = Date.now();
  if (key !== undefined) {
    const { keyId, spkiPem } = await readVerificationKey(context, { file: key, where: "--key" });
    return { signers: [{ kind: "key", purpose, keyId, spkiPem }], nowMs };
  }
  if (identity === undefined || issuer === undefined || root === undefined)
    throw malformed("half an identity", WHERE, "must all three be given");
  const json = await readInput(context, { file: root, where: "--trusted-root", bytesMax: ROOT_BYTES_MAX });
  const trustedRoot = readTrustedRoot(json);
  if (!trustedRoot.ok) {
    const { path, message } = trustedRoot.problem;
    throw malformed("cannot use the trusted root", `--trusted-root ${root}`, `${path} ${message}`.trim());
  }
  const { keylessVerifier } = await import("../../core/evidence/keyless.ts");
  return {
    signers: [{ kind: "identity", purpose, issuer, subject: identity }],
    keyless: keylessVerifier(trustedRoot.value),
    nowMs,
  };
}
