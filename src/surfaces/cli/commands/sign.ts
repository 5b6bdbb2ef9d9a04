import { signMessage } from "../../../core/evidence/sign.ts";
import type { CommandContext } from "../command-context.ts";
import { readInput } from "../files.ts";
import { giveBundle } from "../give-bundle.ts";
import { readSigningKey } from "../read-keys.ts";

const FILE_BYTES_MAX = 512 * 1024 * 1024;

export async function sign(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  const message = await readInput(context, { file, where: "the file", bytesMax: FILE_BYTES_MAX });
  const key = await readSigningKey(context);
  const { keyId } = key.publicKey;
  await giveBundle(context, {
    bundle: signMessage(message, key),
    words: `a signature of ${file} by ${keyId}`,
    facts: { keyId },
  });
  return 0;
}
