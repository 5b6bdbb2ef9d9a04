import { signMessage, signModelManifest } from "../../../core/evidence/sign.ts";
import { sha256Digest } from "../../../core/plan/canonical.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { giveText } from "../give-text.ts";
import { readModelFolder } from "../model-files.ts";
import { readSigningKey } from "../read-keys.ts";
import { signedBytes, signedKind } from "../signed-target.ts";

/** Signs a file, a plan or a model folder. */
export async function sign(context: CommandContext): Promise<number> {
  const target = context.argument(0);
  const kind = await signedKind(context, target);
  if (kind === "model") return signModel(context, target);
  const message = await signedBytes(context, { target, kind });
  const key = await readSigningKey(context);
  const { keyId } = key.publicKey;
  const digest = sha256Digest(message);
  const bundle = signMessage(message, key);
  await giveText(context, {
    text: context.flag("bare") ? bareSignature(bundle) : bundle,
    words: `a signature of ${kind === "plan" ? `the plan ${target} (${digest})` : target} by ${keyId}`,
    facts: { keyId, type: kind, subjectDigest: digest },
  });
  return 0;
}

/** OpenSSF Model Signing: the list of the folder's files is what is signed. */
async function signModel(context: CommandContext, folder: string): Promise<number> {
  if (context.flag("bare"))
    throw malformed(
      "a bare signature",
      "--bare",
      "is for files and plans: a model's list of files goes with its signature",
    );
  const { manifest, sizeBytes } = await readModelFolder(context, { folder, beside: [context.text("outputFile")] });
  const key = await readSigningKey(context);
  const { keyId } = key.publicKey;
  const files = manifest.files.length;
  await giveText(context, {
    text: signModelManifest(manifest, key),
    words: `a signature of ${files} files of ${folder} (${manifest.digest}) by ${keyId}`,
    facts: { keyId, type: "model", subjectDigest: manifest.digest, files, sizeBytes },
  });
  return 0;
}

/** As `cosign sign-blob` prints it when nobody asks for a bundle. */
function bareSignature(bundle: string): string {
  const { messageSignature } = JSON.parse(bundle) as { messageSignature: { signature: string } };
  return messageSignature.signature;
}
