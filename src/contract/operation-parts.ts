import { z } from "zod";
import { environmentSchema, rolloutDetailSchema, targetSchema } from "./views.ts";

/** What several operations of the list share. */

export const page = {
  cursor: z.string().max(512).optional(),
  limit: z.coerce.number().int().min(1).max(200).optional(),
};
export const byId = z.object({ id: z.string().max(64) });
export const byEndpoint = z.object({ environment: environmentSchema, target: targetSchema, name: z.string().max(40) });
export const comment = z.strictObject({ comment: z.string().max(2000).optional() });

/** A signal to a running rollout. */
export function action<Verb extends string>(summary: string, verb: Verb) {
  return {
    summary,
    method: "POST",
    path: `/v1/rollouts/{id}/${verb}`,
    permission: "operate",
    params: byId,
    body: comment,
    output: rolloutDetailSchema,
    status: 202,
  } as const;
}
