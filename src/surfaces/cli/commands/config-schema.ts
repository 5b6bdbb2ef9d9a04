import { configJsonSchema } from "../../../config/schema.ts";
import type { CommandContext } from "../command-context.ts";

export async function configSchema(context: CommandContext): Promise<number> {
  await context.io.out(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  return 0;
}
