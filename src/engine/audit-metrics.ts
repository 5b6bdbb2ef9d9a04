import { Counter, Gauge, type Registry } from "prom-client";
import { publicationGauges } from "../store/queries/audit-checkpoints.ts";
import type { AuditNotaryOptions } from "./audit-notary.ts";
import type { NotaryParts } from "./audit-parts.ts";

type Hooks = Required<Pick<AuditNotaryOptions, "onCheckpoint" | "onPublication" | "onRewritten">>;

/** What workers tell of the audit logs' checkpoints. No tenant, no address: archives have the operator's words for them. */
export function auditMetrics(
  registry: Registry,
  { database, checkpoints: { archives } }: Pick<NotaryParts, "database" | "checkpoints">,
): Hooks {
  const registers = [registry];
  const checkpoints = new Counter({
    name: "continuum_audit_checkpoints_total",
    help: "Checkpoints of audit logs that were signed.",
    registers,
  });
  const publications = new Counter({
    name: "continuum_audit_publications_total",
    help: "Attempts to publish a checkpoint, by archive and result; conflict means that the archive knows another story.",
    labelNames: ["archive", "result"],
    registers,
  });
  const rewritten = new Gauge({
    name: "continuum_audit_logs_rewritten",
    help: "Audit logs that do not continue what was signed or published before; nothing of them is signed.",
    registers,
  });
  new Gauge({
    name: "continuum_audit_publications_pending",
    help: "Checkpoints that an archive does not have yet, by archive and state: waiting, failing (tried in vain), refused.",
    labelNames: ["archive", "state"],
    registers,
    async collect() {
      // What the database does not say now is left out: continuum_database_up tells why.
      const gauges = await publicationGauges(database).catch(() => undefined);
      this.reset();
      if (gauges === undefined) return;
      const none = { pending: 0, failing: 0, refused: 0 };
      const all = [...archives.map(({ name }) => ({ archive: name, ...none })), ...gauges];
      for (const { archive, pending, failing, refused } of all) {
        this.set({ archive, state: "waiting" }, pending - failing);
        this.set({ archive, state: "failing" }, failing);
        this.set({ archive, state: "refused" }, refused);
      }
    },
  });
  return {
    onCheckpoint: () => checkpoints.inc(),
    onPublication: (result) => publications.inc({ ...result }),
    onRewritten: (logs) => rewritten.set(logs),
  };
}
