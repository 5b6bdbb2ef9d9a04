import type { z } from "zod";
import { LIMITED_ROLES, type LimitedRole } from "../core/tenancy/scoped-role.ts";

/** What a principal may do. A role grants some of these; a token can only narrow them. */
export const PERMISSIONS = ["read", "propose", "operate", "approve", "invoke", "govern", "administer"] as const;
export type Permission = (typeof PERMISSIONS)[number];

export const ROLES = [
  "viewer",
  "proposer",
  "operator",
  "approver",
  "budget-owner",
  "break-glass",
  "policy-admin",
  "invoker",
  "admin",
] as const;
export type Role = (typeof ROLES)[number];

/** What a token or a person can be given: a role, or one that holds in one environment alone (`approver@production`). */
export const GRANTABLE_ROLES = [...ROLES, ...LIMITED_ROLES] as const;
export type GrantableRole = Role | LimitedRole;

export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ["read"],
  proposer: ["read", "propose"],
  operator: ["read", "propose", "operate"],
  approver: ["read", "approve"],
  "budget-owner": ["read", "approve"],
  // By a statement of their own alone, with a reason, and reviewed afterwards; nobody has it by being an admin.
  "break-glass": ["read", "approve"],
  "policy-admin": ["read", "govern"],
  invoker: ["invoke"],
  admin: ["read", "propose", "operate", "approve", "invoke", "govern", "administer"],
};

export const PRINCIPAL_KINDS = ["human", "agent", "service"] as const;
export type PrincipalKind = (typeof PRINCIPAL_KINDS)[number];

/**
 * One thing that the outside may ask. HTTP routes, the OpenAPI document and the CLI's client all come from the list
 * of these; the service implements each by name.
 */
export interface Operation {
  summary: string;
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `{name}` for each key of `params`. */
  path: string;
  permission: Permission;
  /** Refused for agents and services, whatever the surface; never offered to MCP. */
  humansOnly?: true;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** A JSON body; `bytes` means the raw request body. */
  body?: z.ZodType | "bytes";
  output: z.ZodType;
  /** `ndjson` and `sse` stream items of `output`. */
  produces?: "json" | "ndjson" | "sse";
  status?: 200 | 201 | 202 | 204;
}

/** One page of a list: `nextCursor` is opaque, null on the last page. */
export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}
