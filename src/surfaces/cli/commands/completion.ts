import type { CommandContext } from "../command-context.ts";
import { bashScript } from "../completion/bash-script.ts";
import { type CompletedPlace, completionModel } from "../completion/completion-model.ts";
import { fishScript } from "../completion/fish-script.ts";
import { powershellScript } from "../completion/powershell-script.ts";
import { zshScript } from "../completion/zsh-script.ts";

const SCRIPTS: Readonly<Record<string, (places: readonly CompletedPlace[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
};

/** Prints a shell's script. It holds every command and option of this build, so that Tab starts no program. */
export async function completion(context: CommandContext): Promise<number> {
  const script = SCRIPTS[context.argument(0)];
  await context.io.out(script?.(completionModel(context.program())) ?? "");
  return 0;
}
