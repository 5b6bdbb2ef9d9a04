import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ExportVerdict, verifyExport } from "../../core/audit/export.ts";
import { parseVerifierKeys, type VerifierKey } from "../../core/audit/verifier-key.ts";
import { verifyRolloutProof } from "../../core/audit/verify-rollout-proof.ts";
import type { Rollout } from "../follow.ts";
import { expectThat, type Stage } from "../stage.ts";
import { shortened } from "./deciding.ts";

/** The log proves itself and one deployment of it, without the server; and nothing with one changed byte does. */
export async function proveWhatHappened(stage: Stage, production: Rollout): Promise<void> {
  const { narrator, api } = stage;
  narrator.chapter("The audit log proves itself, and the production rollout to somebody without access");
  const verified = await api.call("audit.verify", {});
  expectThat(verified.ok, `expected the log to verify: ${verified.problem?.message ?? ""}`);
  narrator.say(
    `${verified.size} entries, every one recomputed into the tree: root ${verified.root.slice(0, 24)}..., intact`,
  );
  const bytes = Buffer.concat(await Array.fromAsync(api.exportAudit()));
  writeFileSync(join(stage.folder, "audit-export.ndjson"), bytes);
  const offline = verifyExport(bytes);
  expectThat(offline.ok, "expected the export to verify offline");
  narrator.say(`exported ${(bytes.length / 1024).toFixed(1)} kB and verified offline: intact`);
  const place = Math.floor(bytes.length / 2);
  const tampered = verifyExport(flipped(bytes, place));
  expectThat(!tampered.ok, "expected the changed copy to be refused");
  narrator.say(`a copy with one bit of byte ${place} changed: REFUSED at ${describe(tampered)}`);
  await proveRollout(stage, production);
}

async function proveRollout(stage: Stage, { id }: Rollout): Promise<void> {
  const { narrator, api } = stage;
  const { proof } = await api.call("audit.prove-rollout", { params: { id } });
  const file = Buffer.from(proof, "utf8");
  writeFileSync(join(stage.folder, "production.proof"), file);
  const keys = await logKeys(stage);
  const verdict = verifyRolloutProof(file, keys);
  expectThat(verdict.ok, verdict.ok ? "" : `the proof does not hold at ${verdict.at}: ${verdict.reason}`);
  const { checkpoint, signedBy, proved, notProved } = verdict.story;
  narrator.say(
    `one file of ${(file.length / 1024).toFixed(1)} kB for ${id}, verified offline by the log's keys (${signedBy.map(({ type }) => type).join(", ")}),`,
  );
  narrator.say(`in a log of ${checkpoint.size} entries:`);
  for (const line of proved) narrator.say(`  proved      ${shortened(line)}`);
  for (const line of notProved) narrator.say(`  not proved  ${shortened(line)}`);
  const approved = proved.some((line) => line.includes("throwaway-ann approved exactly this plan as approver"));
  expectThat(approved, "expected the file to prove the approval");
  const changed = verifyRolloutProof(flipped(file, Math.floor(file.length / 2)), keys);
  expectThat(!changed.ok, "expected the changed proof to be refused");
  narrator.say(`the same file with one bit changed: REFUSED at ${changed.ok ? "" : changed.at || "its form"}`);
}

/** As the server says them; a third party has them from elsewhere. */
export async function logKeys({ api }: Pick<Stage, "api">): Promise<VerifierKey[]> {
  const { keys } = await api.call("audit.keys", {});
  const parsed = parseVerifierKeys(keys.map(({ vkey }) => vkey).join("\n"));
  expectThat(parsed.ok, "expected keys that can be read");
  return parsed.value;
}

function flipped(bytes: Uint8Array, place: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[place] = (changed[place] ?? 0) ^ 1;
  return changed;
}

function describe({ at, reason }: Extract<ExportVerdict, { ok: false }>): string {
  const entry = at.entry === null ? "" : `, entry ${at.entry}`;
  return `line ${at.line}${entry}, byte ${at.byteOffset}: ${reason}`;
}
