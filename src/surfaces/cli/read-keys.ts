import { readCosignKey } from "../../core/evidence/cosign-key.ts";
import { type PublicKey, parsePublicKey } from "../../core/evidence/public-key.ts";
import type { SigningKey } from "../../core/evidence/signing-key.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { readTextInput } from "./files.ts";
import { keyPassword } from "./key-password.ts";

const KEY_BYTES_MAX = 64 * 1024;

/** The private key of `--key`, opened with its password. */
export async function readSigningKey(context: CommandContext): Promise<SigningKey> {
  const file = context.text("key") ?? "";
  const pem = await readTextInput(context, { file, where: "--key", bytesMax: KEY_BYTES_MAX });
  const key = readCosignKey(pem, await keyPassword(context, { isNew: false }));
  if (!key.ok) throw malformed("cannot use the key", `--key ${file}`, key.problem.message);
  return key.value;
}

export async function readPublicKey(
  context: CommandContext,
  options: { file: string; where: string },
): Promise<PublicKey> {
  const pem = await readTextInput(context, { ...options, bytesMax: KEY_BYTES_MAX });
  const key = parsePublicKey(pem);
  if (!key.ok) throw malformed("cannot use the key", `${options.where} ${options.file}`, key.problem.message);
  return key.value;
}
