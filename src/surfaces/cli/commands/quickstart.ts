import type { CommandContext } from "../command-context.ts";

/** The quickstart has a throwaway folder and settings of its own, so that nothing of this machine's is touched. */
export async function quickstart(context: CommandContext): Promise<number> {
  return context.injected.quickstart({
    keep: context.flag("keep"),
    simulate: context.flag("simulate"),
    color: context.wantsColor(context.io.stdoutIsTerminal),
  });
}
