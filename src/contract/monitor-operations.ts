import { z } from "zod";
import { SUPPRESSION_SECONDS_MAX, SUPPRESSION_SECONDS_MIN } from "../core/monitor/alarm/suppression.ts";
import {
  alarmNameSchema,
  alarmSchema,
  alarmStateSchema,
  alarmTransitionSchema,
  monitorSchema,
  suppressionSchema,
} from "./monitor-views.ts";
import type { Operation } from "./operation.ts";
import { byEndpoint, page } from "./operation-parts.ts";
import { environmentSchema, pageOf, targetSchema } from "./views.ts";

/** A person answers for what is not acted on: no agent or service says it. */
const byPeople = { permission: "operate", humansOnly: true } as const;

const AT = "/v1/alarms/{environment}/{target}/{name}";

export const monitorOperations = {
  "monitors.get": {
    summary: "Everything that is measured of an endpoint: baseline, windows, distances, evidence, quality, alarms",
    method: "GET",
    path: "/v1/monitors/{environment}/{target}/{name}",
    permission: "read",
    params: byEndpoint,
    output: monitorSchema,
  },
  "alarms.list": {
    summary: "Alarms of every version, newest version first",
    method: "GET",
    path: "/v1/alarms",
    permission: "read",
    query: z.object({
      ...page,
      environment: environmentSchema.optional(),
      target: targetSchema.optional(),
      name: z.string().max(40).optional(),
      state: alarmStateSchema.optional(),
    }),
    output: pageOf(alarmSchema),
  },
  "alarms.history": {
    summary: "How the alarms of an endpoint changed, newest first, each time with the figures",
    method: "GET",
    path: `${AT}/history`,
    permission: "read",
    params: byEndpoint,
    query: z.object({ ...page, alarm: alarmNameSchema.optional(), variant: z.string().max(64).optional() }),
    output: pageOf(alarmTransitionSchema),
  },
  "alarms.acknowledge": {
    summary: "Say that you saw an ALARM; ends when it does; people only",
    method: "POST",
    path: `${AT}/acknowledge`,
    ...byPeople,
    params: byEndpoint,
    body: z.strictObject({
      alarm: alarmNameSchema,
      /** Default: the version that serves. */
      variant: z.string().max(64).optional(),
      comment: z.string().max(2000).optional(),
    }),
    output: alarmSchema,
  },
  "alarms.suppress": {
    summary: "Let an alarm of an endpoint be evaluated and shown, and not acted on, for a while; people only",
    method: "POST",
    path: `${AT}/suppress`,
    ...byPeople,
    params: byEndpoint,
    body: z.strictObject({
      alarm: alarmNameSchema,
      reason: z.string().min(10, "must say in a sentence why").max(1000),
      seconds: z
        .number()
        .int()
        .min(SUPPRESSION_SECONDS_MIN, "must be a minute at least")
        .max(SUPPRESSION_SECONDS_MAX, "must be seven days at most"),
    }),
    output: suppressionSchema,
  },
  "alarms.unsuppress": {
    summary: "End an alarm's suppression before its time; people only",
    method: "POST",
    path: `${AT}/unsuppress`,
    ...byPeople,
    params: byEndpoint,
    body: z.strictObject({ alarm: alarmNameSchema }),
    output: z.object({ ended: z.boolean() }),
  },
} as const satisfies Record<string, Operation>;
