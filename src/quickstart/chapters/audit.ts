import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ExportVerdict, verifyExport } from "../../core/audit/export.ts";
import { expectThat, type Stage } from "../stage.ts";

/** The log proves itself, and a copy with one changed byte does not. */
export async function verifyAuditLog(stage: Stage): Promise<void> {
  const { narrator, api } = stage;
  narrator.chapter("The audit log");
  const verified = await api.call("audit.verify", {});
  expectThat(verified.ok, `expected the log to verify: ${verified.problem?.message ?? ""}`);
  narrator.say(
    `${verified.size} entries, every one recomputed into the tree: root ${verified.root.slice(0, 24)}..., intact`,
  );

  const bytes = Buffer.concat(await Array.fromAsync(api.exportAudit()));
  const file = join(stage.folder, "audit-export.ndjson");
  writeFileSync(file, bytes);
  const offline = verifyExport(bytes);
  expectThat(offline.ok, "expected the export to verify offline");
  narrator.say(`exported ${(bytes.length / 1024).toFixed(1)} kB and verified offline: intact`);

  const place = Math.floor(bytes.length / 2);
  const changed = Uint8Array.from(bytes);
  changed[place] = (changed[place] ?? 0) ^ 1;
  const tampered = verifyExport(changed);
  expectThat(!tampered.ok, "expected the changed copy to be refused");
  narrator.say(`a copy with one bit of byte ${place} changed: REFUSED at ${tampered.ok ? "" : describe(tampered)}`);
}

function describe({ at, reason }: Extract<ExportVerdict, { ok: false }>): string {
  const entry = at.entry === null ? "" : `, entry ${at.entry}`;
  return `line ${at.line}${entry}, byte ${at.byteOffset}: ${reason}`;
}
