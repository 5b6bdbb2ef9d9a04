import { z } from "zod";
import { digestSchema, timeSchema } from "./views.ts";

const decision = z.enum(["allow", "needs-approval", "deny"]);
const ids = z.array(z.string());

export const policyVersionSchema = z
  .object({
    digest: digestSchema,
    /** `proposed`: somebody asks for it. `former`: it was in force once. `kept`: it was proposed once and withdrawn. */
    state: z.enum(["active", "proposed", "former", "kept"]),
    baseDigest: digestSchema.describe("Of the program's own files that it stands on"),
    createdAt: timeSchema,
    proposal: z.object({ by: z.string(), at: timeSchema, comment: z.string().nullable() }).nullable(),
    activatedAt: timeSchema.nullable(),
  })
  .meta({ id: "PolicyVersion" });

export const policyVersionDetailSchema = z
  .object({
    version: policyVersionSchema,
    /** `own/` marks the tenant's own; everything else stands in place of, or is, the program's. */
    files: z.array(z.object({ path: z.string(), text: z.string() })),
    activations: z.array(
      z.object({
        sequence: z.number().int(),
        at: timeSchema,
        by: z.string(),
        proposedBy: z.string().nullable(),
        replaced: digestSchema.nullable(),
        /** The approver's signed statement, a Sigstore bundle as JSON text; null when the program began with this. */
        approval: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: "PolicyVersionDetail" });

export const policyDiffSchema = z
  .object({
    before: digestSchema,
    after: digestSchema,
    changes: z.array(
      z.object({ id: z.string(), clause: z.string(), change: z.enum(["added", "removed", "changed", "reworded"]) }),
    ),
    /** Settings and prices. */
    data: z.array(z.object({ name: z.string(), before: z.unknown(), after: z.unknown() })),
    /** One example of each kind of difference, the gravest first. */
    witnesses: z.array(
      z.object({
        when: z.record(z.string(), z.unknown()),
        before: decision,
        after: decision,
        gained: ids,
        lost: ids,
      }),
    ),
    /** How many boundary cases were put to both, and how many there would have been. */
    asked: z.number().int(),
    possible: z.number().int(),
    /** The newest real plans, and which of them would be decided differently. */
    plans: z.object({
      looked: z.number().int(),
      changed: z.array(
        z.object({
          rollout: z.string(),
          planDigest: digestSchema,
          endpoint: z.string(),
          before: decision,
          after: decision,
          gained: ids,
          lost: ids,
        }),
      ),
    }),
  })
  .meta({ id: "PolicyDiff" });
