import { readSecretFile } from "../../config/secret-file.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { pathOf } from "./files.ts";
import { promptHidden } from "./prompt.ts";

const WHERE = "--password-env or --password-file";

/** Where cosign looks for it, so that a set-up for cosign serves here as well. */
const COSIGN_VARIABLE = "COSIGN_PASSWORD";

/**
 * The password of a key file: from a variable, a file, cosign's own variable, or asked on the terminal; never from the
 * command line.
 */
export async function keyPassword(context: CommandContext, options: { isNew: boolean }): Promise<string> {
  const password = await givenPassword(context, options);
  if (options.isNew && password === "") throw malformed("an empty password", WHERE, "must have at least one character");
  return password;
}

async function givenPassword(context: CommandContext, options: { isNew: boolean }): Promise<string> {
  const variable = context.text("passwordEnv");
  const file = context.text("passwordFile");
  if (variable !== undefined && file !== undefined) throw malformed("two passwords", WHERE, "must be one of them");
  if (variable !== undefined) {
    const value = context.io.environment.variables[variable];
    if (value === undefined)
      throw malformed(`${variable} is not set`, "--password-env", "must be the name of an environment variable");
    return value;
  }
  if (file !== undefined) {
    const read = readSecretFile(pathOf(context, file), "a password");
    if (!read.ok) throw malformed(read.problem.message, "", "");
    return read.value;
  }
  return context.io.environment.variables[COSIGN_VARIABLE] ?? askedPassword(context, options);
}

async function askedPassword(context: CommandContext, { isNew }: { isNew: boolean }): Promise<string> {
  const password = await promptHidden(context.io, isNew ? "Password of the new key: " : "Password of the key: ");
  if (password === undefined)
    throw malformed(
      "a password is needed",
      WHERE,
      `or ${COSIGN_VARIABLE} must be given where there is no terminal to ask on`,
    );
  if (isNew && (await promptHidden(context.io, "Once more: ")) !== password)
    throw malformed("the passwords differ", "the prompt", "must be typed alike twice");
  return password;
}
