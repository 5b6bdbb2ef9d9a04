import type { CommandContext } from "../command-context.ts";
import { START_ROLES } from "../injected.ts";

/** Reads the settings and hands them to the composition root; resolves when the server has stopped. */
export async function start(context: CommandContext): Promise<number> {
  const role = START_ROLES.find((known) => known === context.text("role")) ?? "all";
  return context.injected.start({ role, config: await context.config() });
}
