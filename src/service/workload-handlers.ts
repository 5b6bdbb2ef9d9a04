import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { WORKLOAD_ROLES, workloadClaimsSchema } from "../contract/workload-operations.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { insertWorkload, listWorkloads, removeWorkload, type WorkloadRow } from "../store/queries/workloads.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { notFound, refuse } from "./refusal.ts";
import { ensurePrincipal } from "./tokens.ts";

const afterShape = z.tuple([z.string()]);
const TOKEN_SECONDS = 900;

/** Which pipelines a tenant trusts. */
export function workloadHandlers(
  parts: ServiceParts,
): Handlers<"workloads.create" | "workloads.list" | "workloads.delete"> {
  return {
    "workloads.create": async ({ principal, actor, input }) => {
      const issuer = parts.workloadIssuer?.issuer;
      if (issuer === undefined) {
        refuse("not-acceptable-now", "No issuer of identity tokens is set: see workloadIdentity among the settings.");
      }
      const { tenant } = principal;
      const { principal: id, claims, roles = ["proposer"], tokenSeconds = TOKEN_SECONDS } = input.body;
      const atMs = parts.nowMs();
      const row: WorkloadRow = {
        ...{ id: `wl_${randomBytes(8).toString("hex")}`, issuer, claims: namedOnly(claims), principal: id },
        ...{ roles: [...roles], tokenSeconds, createdBy: principal.id, createdAt: new Date(atMs) },
      };
      await parts.database.transaction(async (tx) => {
        await ensurePrincipal(tx, tenant, { principal: id, kind: "service", roles }, principal.id);
        await insertWorkload(tx, { tenant, ...row });
        const fact = { tenant, atMs, actor, subject: `workload:${row.id}`, outcome: "accepted" } as const;
        await appendAudit(tx, { ...fact, action: "workload.trust", details: { principal: id, roles: [...roles] } });
      });
      return view(row);
    },

    "workloads.list": async ({ principal, input }) => {
      const { cursor, limit = PAGE_LIMIT } = input.query;
      const after = decodeCursor("workloads.list", cursor, afterShape)?.[0];
      const page = { tenant: principal.tenant, limit: limit + 1, ...(after === undefined ? {} : { after }) };
      const rows = await listWorkloads(parts.database, page);
      return toPage(rows, { list: "workloads.list", limit, keyOf: (row) => [row.id], view });
    },

    "workloads.delete": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const atMs = parts.nowMs();
      return parts.database.transaction(async (tx) => {
        const row = await removeWorkload(tx, { tenant, id: input.params.id, atMs });
        if (row === undefined) return notFound("workload");
        const fact = { tenant, atMs, actor, subject: `workload:${row.id}`, outcome: "accepted" } as const;
        await appendAudit(tx, { ...fact, action: "workload.distrust", details: { principal: row.principal } });
        return view(row);
      });
    },
  };
}

function namedOnly(claims: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(claims).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function view(row: WorkloadRow): OperationOutput<"workloads.delete"> {
  const { id, issuer, principal, tokenSeconds, createdBy, createdAt } = row;
  const roles = WORKLOAD_ROLES.filter((role) => row.roles.includes(role));
  const claims = workloadClaimsSchema.parse(row.claims);
  return { id, issuer, claims, principal, roles, tokenSeconds, createdBy, createdAt: createdAt.toISOString() };
}
