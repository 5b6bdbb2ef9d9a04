import type { BackupSummary } from "../../../core/backup/summary.ts";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-codes.ts";
import { pathOf } from "../files.ts";
import { loadSettings } from "../load-settings.ts";
import { textRecord } from "../text-table.ts";

export async function backupCreate(context: CommandContext): Promise<number> {
  const { config, file } = loadSettings(context);
  const out = pathOf(context, context.text("out") ?? "");
  const postgresBin = context.text("postgresBin");
  const maintenance = await context.injected.maintenance();
  const summary = await maintenance.createBackup({ config, out, configFile: file, postgresBin });
  await context.show({ file: out, ...summary }, () => `${textRecord({ file: out, ...facts(summary) })}`);
  context.note("Keep the keys that it needs elsewhere: without them a restore is refused.");
  return EXIT.ok;
}

export async function backupVerify(context: CommandContext): Promise<number> {
  const path = pathOf(context, context.argument(0));
  const maintenance = await context.injected.maintenance();
  const verdict = await maintenance.verifyBackup({ config: await context.config(), path });
  await context.show({ ok: true, file: path, ...verdict }, () =>
    [
      `${context.paint.good("VERIFIED")}  ${path}`,
      textRecord({
        ...facts(verdict),
        seal: verdict.seal === "verified" ? "made with this set-up's key" : "not compared: its key is not here",
      }),
    ].join("\n"),
  );
  return EXIT.ok;
}

export async function backupRestore(context: CommandContext): Promise<number> {
  const config = await context.config();
  const path = pathOf(context, context.argument(0));
  const newAdminToken = context.flag("newAdminToken");
  const restored = await (await context.injected.maintenance()).restoreBackup({ config, path, newAdminToken });
  await context.show({ file: path, ...restored }, () =>
    textRecord({
      ...facts(restored),
      tenants: restored.tenants,
      "audit log": `verified, ${restored.auditEntries} entries`,
      "open rollouts": `${restored.openRollouts}, which go on at the next start`,
      ...(restored.configFile === null ? {} : { settings: `laid beside as ${restored.configFile}` }),
    }),
  );
  if (newAdminToken) context.note("A fresh token of admin lies in the data folder for this user's commands.");
  context.note("Tokens are those of the backup: look for some that were revoked since with `continuum token list`.");
  return EXIT.ok;
}

function facts(summary: BackupSummary): Record<string, string | number> {
  const { id, createdAt, programVersion, postgresVersion, schemaVersion, rows, tables, artifacts, sizeBytes } = summary;
  return {
    ...{ backup: id, made: createdAt, "by version": programVersion, PostgreSQL: postgresVersion },
    ...{ schema: schemaVersion, rows: `${rows} in ${tables} tables`, artifacts, bytes: sizeBytes },
    keys: summary.keys.map(({ reference, fingerprint }) => `${reference} (${fingerprint})`).join(", "),
  };
}
