import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { textRecord } from "../text-table.ts";

export async function artifactRekey(context: CommandContext): Promise<number> {
  const config = await context.config();
  const done = await (await context.injected.maintenance()).rekeyArtifacts({ config });
  const { keyId, tenants, moved, damaged, foreign } = done;
  await context.show({ ok: damaged.length === 0, ...done }, () =>
    textRecord({
      ...{ key: keyId, tenants, "sealed anew": moved },
      ...Object.fromEntries(damaged.map(({ tenant, digest }) => [`damaged, of ${tenant}`, digest])),
      ...(foreign === 0 ? {} : { "of no key or tenant": `${foreign}, which nobody reads` }),
    }),
  );
  if (damaged.length > 0) {
    context.note("Import the damaged ones again, or remove them; keep the previous key in the settings until then.");
    return EXIT.failed;
  }
  context.note("Take artifacts.previousKeyReference out of the settings: it opens nothing more. Old backups need it.");
  return EXIT.ok;
}
