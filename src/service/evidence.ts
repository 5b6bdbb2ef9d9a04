import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { assert } from "../core/error.ts";
import { readBundle, writeDsseBundle } from "../core/evidence/bundle.ts";
import { parsePublicKey } from "../core/evidence/public-key.ts";
import { authenticateTestEvidence } from "../core/evidence/verify-trusted.ts";
import { sha256Digest } from "../core/plan/canonical.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { type EvidenceRow, insertEvidence, listEvidence, trustedKeys } from "../store/queries/evidence.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { refuse } from "./refusal.ts";

const afterShape = z.tuple([z.number(), z.string(), z.string()]);

export function evidenceHandlers(parts: ServiceParts): Handlers<"evidence.add" | "evidence.list"> {
  return {
    /** What no trusted key signed is not stored at all; a failed test result is, and lets nothing pass. */
    "evidence.add": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const given = Buffer.from(JSON.stringify(input.body.bundle), "utf8");
      const nowMs = parts.nowMs();
      const keys = await trustedKeys(parts.database, tenant, "tests");
      const authentic = authenticateTestEvidence(given, { trustedKeys: keys, nowMs });
      if (!authentic.ok) return refuse("untrusted-evidence", `The evidence was refused: ${authentic.reason}.`);
      const { evidence } = authentic;
      const bundle = normalForm(given, { keys, keyId: evidence.keyId });
      const rows = evidence.subjectDigests.map((subjectDigest) => ({
        id: sha256Digest(bundle),
        subjectDigest,
        kind: evidence.kind,
        predicateType: evidence.predicateType,
        keyId: evidence.keyId,
        result: evidence.predicate.result,
        addedBy: principal.id,
        addedAt: new Date(nowMs),
      }));
      const [first] = rows;
      if (first === undefined) return refuse("untrusted-evidence", "The statement has no subject.");
      await parts.database.transaction(async (tx) => {
        for (const row of rows) {
          if (!(await insertEvidence(tx, tenant, { ...row, bundle }))) continue;
          const { id, subjectDigest, keyId, kind, result } = row;
          const details = { bundleDigest: id, subjectDigest, keyId, kind, result };
          const at = { tenant, atMs: nowMs, actor, action: "evidence.add", outcome: "accepted" as const };
          await appendAudit(tx, { ...at, subject: `artifact:${subjectDigest}`, details });
        }
      });
      return view(first);
    },

    "evidence.list": async ({ principal, input }) => {
      const { subject, cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("evidence.list", cursor, afterShape);
      const rows = await listEvidence(parts.database, {
        tenant: principal.tenant,
        limit: limit + 1,
        ...(subject === undefined ? {} : { subject }),
        ...(after === undefined ? {} : { after: { addedAtMs: after[0], id: after[1], subject: after[2] } }),
      });
      const keyOf = (row: EvidenceRow) => [row.addedAt.getTime(), row.id, row.subjectDigest];
      return toPage(rows, { list: "evidence.list", limit, keyOf, view });
    },
  };
}

/**
 * The bundle with nothing in it but what was signed. What stands around that could be anything, and every variation of
 * it would be stored as another piece of evidence.
 */
function normalForm(
  bundle: Uint8Array,
  { keys, keyId }: { keys: readonly { keyId: string; spkiPem: string }[]; keyId: string },
): Buffer {
  const read = readBundle(bundle);
  const key = parsePublicKey(keys.find((one) => one.keyId === keyId)?.spkiPem ?? "");
  assert(read.ok && read.value.kind === "dsse" && key.ok, "what was verified is a signed statement of a known key");
  return Buffer.from(writeDsseBundle(key.value, read.value), "utf8");
}

function view({ addedAt, ...row }: EvidenceRow): OperationOutput<"evidence.add"> {
  return { ...row, addedAt: addedAt.toISOString() };
}
