import { z } from "zod";
import type { Operation } from "./operation.ts";
import { byEndpoint } from "./operation-parts.ts";
import { timeSchema } from "./views.ts";

/** Labels of one request, at most: its answer waits until they are stored. */
export const TRUTHS_MAX = 1000;
/** Rows of one inference. */
const LABELS_MAX = 1000;

const inferenceId = z.string().regex(/^[\x20-\x7e]{1,64}$/, "must be 1 to 64 printable ASCII characters");
const label = z.union([z.string().min(1).max(256), z.number(), z.boolean()], "must be a text, a number, true or false");
const value = z.union([z.string().max(256), z.number(), z.boolean()]);

const ownRecord = z
  .strictObject({
    inferenceId,
    label: label.optional(),
    /** Of a request with several rows, in their order; null where the truth of a row is not known. */
    labels: z.array(label.nullable()).min(1).max(LABELS_MAX).optional(),
    /** Where the request does not hold them, or the capture does not keep them. */
    facet: value.optional(),
    group: value.optional(),
    /** When the truth became known; default now. */
    at: timeSchema.optional(),
  })
  .refine((record) => (record.label === undefined) !== (record.labels === undefined), "must have label or labels");

/** As SageMaker Model Monitor takes ground truth: `data` is the label, or a line of labels for several rows. */
const sageMakerRecord = z.object({
  groundTruthData: z.object({ data: z.string().min(1).max(65_536), encoding: z.literal("CSV", "must be CSV") }),
  eventMetadata: z.object({ eventId: inferenceId }),
  eventVersion: z.string().max(16).optional(),
});

export const truthRecordSchema = z
  .union([ownRecord, sageMakerRecord], "must be {inferenceId, label} or a ground truth record of SageMaker")
  .meta({ id: "GroundTruthRecord" });
export type TruthRecord = z.infer<typeof truthRecordSchema>;

export const groundTruthOperations = {
  "truths.add": {
    summary: "Say what turned out to be true of earlier answers, by their inference ids",
    method: "POST",
    path: "/v1/endpoints/{environment}/{target}/{name}/ground-truth",
    permission: "operate",
    params: byEndpoint,
    body: z.strictObject({ records: z.array(truthRecordSchema).min(1).max(TRUTHS_MAX) }),
    output: z
      .object({
        /** Labels that were new, that took the place of another one, and that were known already. */
        added: z.number().int(),
        replaced: z.number().int(),
        unchanged: z.number().int(),
        /** Labels that differ from one which was counted already: that one stays. */
        refused: z.number().int(),
      })
      .meta({ id: "TakenGroundTruth" }),
  },
} as const satisfies Record<string, Operation>;
