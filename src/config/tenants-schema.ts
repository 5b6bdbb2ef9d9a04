import { z } from "zod";

/** Settings of how much one tenant and one principal may use. 0 is no limit. */

const most = z.number().int().min(0).max(1_000_000_000);

const https = z.url({ protocol: /^https$/ }).max(2048);

export const tenantsSettings = {
  workloadIdentity: z
    .strictObject({
      issuer: https
        .optional()
        .describe(
          "Issuer of the identity tokens that pipelines exchange for short ones, such as https://token.actions.githubusercontent.com",
        ),
      jwksUrl: https.optional().describe("Where that issuer's keys are; default its /.well-known/jwks"),
      audience: z
        .string()
        .min(1)
        .max(512)
        .optional()
        .describe("What those tokens must be made for: a name of this installation and of nothing else"),
    })
    .prefault({}),
  tenants: z
    .strictObject({
      programTokenSecondsMax: z
        .number()
        .int()
        .min(60)
        .max(31_536_000)
        .default(30 * 24 * 3600)
        .describe("Seconds that a token of an agent or a service lasts at most when it may propose or operate"),
      openRolloutsMax: most.default(5000).describe("Rollouts of a tenant that have not ended; 0 is any number"),
      tokensMax: most.default(1000).describe("Tokens of a tenant that count; 0 is any number"),
      webhooksMax: most.default(100).describe("Webhooks of a tenant; 0 is any number"),
      artifactMebibytesMax: most.default(0).describe("Mebibytes of a tenant's artifacts; 0 is any number"),
      requestsPerSecond: most
        .default(1000)
        .describe("Requests a second that an API process answers one principal; 0 is any number"),
      burstMax: z
        .number()
        .int()
        .min(1)
        .max(1_000_000_000)
        .default(4000)
        .describe("Requests of one principal that an API process answers at once after a pause"),
    })
    .prefault({}),
};

/** An issuer without an audience would let in tokens that were made for others. */
export function workloadProblems({
  workloadIdentity,
}: {
  workloadIdentity: { issuer?: string | undefined; audience?: string | undefined };
}): string[] {
  const { issuer, audience } = workloadIdentity;
  return issuer !== undefined && audience === undefined
    ? ["workloadIdentity.issuer without an audience, set workloadIdentity.audience to a name of this installation"]
    : [];
}
