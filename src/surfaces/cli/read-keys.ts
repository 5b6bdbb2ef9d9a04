import type { Parsed } from "../../core/error.ts";
import { readCosignKey } from "../../core/evidence/cosign-key.ts";
import { type PublicKey, parsePublicKey, parseVerificationKey } from "../../core/evidence/public-key.ts";
import type { SigningKey } from "../../core/evidence/signing-key.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { readTextInput } from "./files.ts";
import { keyPassword } from "./key-password.ts";

const KEY_BYTES_MAX = 64 * 1024;

/** The private key of `--key`, opened with its password. */
export async function readSigningKey(context: CommandContext): Promise<SigningKey> {
  const reference = context.text("key");
  if (reference === undefined)
    throw malformed("no key", "--key", "must name the encrypted private key: file:PATH, env:NAME or a path");
  const pem = await readReference(context, { reference, where: "--key" });
  const key = readCosignKey(pem, await keyPassword(context, { isNew: false }));
  if (!key.ok) throw malformed("cannot use the key", `--key ${reference}`, key.problem.message);
  return key.value;
}

interface KeyOption {
  /** A path, or a reference as `readReference` takes them. */
  file: string;
  where: string;
}

/** The public half of a key that signs here: ECDSA on P-256. */
export function readPublicKey(context: CommandContext, options: KeyOption): Promise<PublicKey> {
  return readParsed(context, options, parsePublicKey);
}

/** A public key that others may have signed with: the larger curves as well. */
export function readVerificationKey(context: CommandContext, options: KeyOption): Promise<PublicKey> {
  return readParsed(context, options, parseVerificationKey);
}

async function readParsed(
  context: CommandContext,
  { file, where }: KeyOption,
  parse: (pem: string) => Parsed<PublicKey>,
): Promise<PublicKey> {
  const key = parse(await readReference(context, { reference: file, where }));
  if (!key.ok) throw malformed("cannot use the key", `${where} ${file}`, key.problem.message);
  return key.value;
}

/**
 * The text behind `file:PATH` or `env:NAME`, the form that references to secrets have everywhere, or behind a bare path.
 * A file whose name begins with one of the two words is named `./env:...`.
 */
async function readReference(
  context: CommandContext,
  { reference, where }: { reference: string; where: string },
): Promise<string> {
  const [, scheme, rest = ""] = /^(file|env):(.*)$/s.exec(reference) ?? [];
  if (scheme !== "env") {
    const file = scheme === "file" ? rest : reference;
    return readTextInput(context, { file, where, bytesMax: KEY_BYTES_MAX });
  }
  const { variables } = context.io.environment;
  const value = Object.hasOwn(variables, rest) ? variables[rest] : undefined;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(rest))
    throw malformed("no name of a variable", where, "must be env:NAME, file:PATH or a path");
  if (value === undefined || value === "")
    throw malformed(`${rest} is not set`, where, "must be the name of an environment variable that holds the key");
  return value;
}
