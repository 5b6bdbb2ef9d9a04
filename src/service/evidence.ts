import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { readBundle } from "../core/evidence/bundle.ts";
import type { Accepted } from "../drivers/signatures/signatures.ts";
import { appendAudit, textDigest } from "../engine/audit-log.ts";
import { loadTrust } from "../engine/trust.ts";
import {
  type EvidenceRow,
  insertEvidence,
  listEvidence,
  readBySignature,
  readEvidence,
  revokeEvidence,
} from "../store/queries/evidence.ts";
import { readPlanBytes } from "../store/queries/rollouts.ts";
import { changeTrust } from "./change-trust.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";

type EvidenceView = OperationOutput<"evidence.add">;

const afterShape = z.tuple([z.number(), z.string(), z.string()]);

export function evidenceHandlers(parts: ServiceParts): Handlers<"evidence.add" | "evidence.list" | "evidence.revoke"> {
  return {
    "evidence.add": (call) => add(parts, call),

    "evidence.list": async ({ principal, input }) => {
      const { subject, kind, cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("evidence.list", cursor, afterShape);
      const rows = await listEvidence(parts.database, {
        tenant: principal.tenant,
        limit: limit + 1,
        ...(subject === undefined ? {} : { subject }),
        ...(kind === undefined ? {} : { kind }),
        ...(after === undefined ? {} : { after: { addedAtMs: after[0], id: after[1], subject: after[2] } }),
      });
      const keyOf = (row: EvidenceRow) => [row.addedAt.getTime(), row.id, row.subjectDigest];
      return toPage(rows, { list: "evidence.list", limit, keyOf, view });
    },

    "evidence.revoke": (call) => revoke(parts, call),
  };
}

/** What nobody trusted signed is not stored at all; a failed test result is, and lets nothing pass. */
async function add(parts: ServiceParts, { principal, actor, input }: Call<"evidence.add">): Promise<EvidenceView> {
  const { tenant } = principal;
  const { bundle, kind: wanted } = input.body;
  const nowMs = parts.nowMs();
  const given = Buffer.from(JSON.stringify(bundle), "utf8");
  const message = await signedBytes(parts, { tenant, given, manifest: input.body.manifest });
  const accepted = await parts.signatures.live.accept(given, {
    ...{ trust: await loadTrust(parts.database, tenant), nowMs },
    ...(message === undefined ? {} : { message }),
    ...(wanted === undefined ? {} : { wanted }),
  });
  if (!accepted.ok) return refuse("untrusted-evidence", `The evidence was refused: ${accepted.reason}.`);
  const rows = accepted.subjectDigests.map((subjectDigest) =>
    rowOf(accepted, { subjectDigest, by: principal.id, nowMs }),
  );
  const { id, kind, keyId, result, subjectDigests } = accepted;
  const change = { tenant, actor, cause: `evidence/${id}`, subjects: async () => subjectDigests };
  const stored = await changeTrust(parts, change, async (tx) => {
    for (const row of rows) {
      const { subjectDigest } = row;
      if (!(await insertEvidence(tx, tenant, { ...row, bundle: accepted.bundle }))) continue;
      const details = { bundleDigest: id, subjectDigest, keyId, kind, result };
      const at = { tenant, atMs: nowMs, actor, action: "evidence.add", outcome: "accepted" as const };
      await appendAudit(tx, { ...at, subject: `artifact:${subjectDigest}`, details });
    }
    return readBySignature(tx, tenant, accepted.signature);
  });
  const [first] = stored;
  return first === undefined ? notFound("evidence") : view(first);
}

/** The bytes that a signature of a file is over: given along, or those of a plan that was submitted. */
async function signedBytes(
  parts: ServiceParts,
  { tenant, given, manifest }: { tenant: string; given: Buffer; manifest: string | undefined },
): Promise<Buffer | undefined> {
  if (manifest !== undefined) return Buffer.from(manifest, "base64");
  const read = readBundle(given);
  if (!read.ok || read.value.kind !== "message" || read.value.hash !== "sha256") return undefined;
  return readPlanBytes(parts.database, tenant, `sha256:${read.value.messageDigest.toString("hex")}`);
}

function rowOf(
  { id, signature, kind, predicateType, keyId, signer, result, provenAtMs }: Accepted,
  { subjectDigest, by, nowMs }: { subjectDigest: string; by: string; nowMs: number },
) {
  const { issuer, subject } = signer.kind === "identity" ? signer : { issuer: null, subject: null };
  return {
    ...{ id, signature, subjectDigest, kind, predicateType, keyId, issuer, subject, result, addedBy: by },
    addedAt: new Date(nowMs),
    provenAt: provenAtMs === null ? null : new Date(provenAtMs),
  };
}

/** For good: the same signature is never taken again, however it is written. */
async function revoke(
  parts: ServiceParts,
  { principal, actor, input }: Call<"evidence.revoke">,
): Promise<OperationOutput<"evidence.revoke">> {
  const { tenant } = principal;
  const { id } = input.params;
  const { reason } = input.body;
  const atMs = parts.nowMs();
  const known = await readEvidence(parts.database, tenant, id);
  if (known.length === 0) return notFound("evidence");
  const subjects = known.map(({ subjectDigest }) => subjectDigest);
  const change = { tenant, actor, cause: `evidence-revoked/${id}`, subjects: async () => subjects };
  const rows = await changeTrust(parts, change, async (tx) => {
    for (const subjectDigest of await revokeEvidence(tx, { tenant, id, by: principal.id, reason, atMs })) {
      const details = { bundleDigest: id, subjectDigest, ...textDigest(reason) };
      const at = { tenant, atMs, actor, action: "evidence.revoke", outcome: "accepted" as const };
      await appendAudit(tx, { ...at, subject: `artifact:${subjectDigest}`, details });
    }
    return readEvidence(tx, tenant, id);
  });
  return { items: rows.map(view) };
}

function view(row: EvidenceRow): EvidenceView {
  const { id, subjectDigest, kind, predicateType, keyId, result, addedBy, issuer, subject, revokedAt } = row;
  return {
    ...{ id, subjectDigest, kind, predicateType, keyId, result, addedBy },
    identity: issuer === null || subject === null ? null : { issuer, subject },
    addedAt: row.addedAt.toISOString(),
    provenAt: optionalTime(row.provenAt?.getTime() ?? null),
    revoked:
      revokedAt === null
        ? null
        : { at: revokedAt.toISOString(), by: row.revokedBy ?? "", reason: row.revokeReason ?? "" },
  };
}
