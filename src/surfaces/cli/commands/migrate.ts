import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";

export async function migrate(context: CommandContext): Promise<number> {
  const check = context.flag("check");
  const { from, to } = await (await context.injected.maintenance()).migrate({ config: await context.config(), check });
  await context.show({ from, to, migrated: !check && from !== to }, () => {
    if (from === to) return `the database is at schema version ${to}: nothing to do\n`;
    if (check)
      return `the database is at schema version ${from} and this program needs ${to}: run \`continuum migrate\`\n`;
    return `migrated the database from schema version ${from} to ${to}\n`;
  });
  return check && from !== to ? EXIT.failed : EXIT.ok;
}
