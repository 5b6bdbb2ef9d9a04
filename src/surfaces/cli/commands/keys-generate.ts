import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeCosignKey } from "../../../core/evidence/cosign-key.ts";
import { generateSigningKey } from "../../../core/evidence/signing-key.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { pathOf, writeNewFile } from "../files.ts";
import { keyPassword } from "../key-password.ts";

/** Writes NAME.key, encrypted as cosign does and readable by its owner only, and NAME.pub. */
export async function keysGenerate(context: CommandContext): Promise<number> {
  const name = context.argument(0);
  const files = { private: `${name}.key`, public: `${name}.pub` };
  // Looked at first, so that a key is not made in vain or left without its other half; the writing itself refuses too.
  for (const file of Object.values(files))
    if (existsSync(pathOf(context, file)))
      throw malformed("a file that exists already", file, "must be a new name: nothing is overwritten");
  const password = await keyPassword(context, { isNew: true });
  const random = (n: number) => new Uint8Array(randomBytes(n));
  const key = generateSigningKey(random);
  await writeNewFile(context, {
    file: files.private,
    text: writeCosignKey(key, { password, random }),
    where: "the key",
    mode: 0o600,
  });
  await writeNewFile(context, { file: files.public, text: key.publicKey.spkiPem, where: "the public key" });
  const { keyId } = key.publicKey;
  await context.show(
    { keyId, privateKey: files.private, publicKey: files.public },
    () => `wrote ${files.private} and ${files.public}\n${keyId}\n`,
  );
  return 0;
}
