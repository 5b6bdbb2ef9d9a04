import { z } from "zod";
import type { EvidenceKind } from "../../../core/policy/decision.ts";
import type { MockSignatures } from "../signatures.ts";

/** No reader of Sigstore bundles knows this type, so that what is made here is refused wherever evidence is real. */
export const MOCK_MEDIA_TYPE = "application/vnd.continuum.mock-evidence.v1+json";
export const MOCK_KEY_ID = "mock:simulated";

/** A mock statement for a simulated plan. It says of itself that it is none, and carries no signature at all. */
export function mockEvidence(kind: EvidenceKind, subjectDigest: string): string {
  return `${JSON.stringify({ mediaType: MOCK_MEDIA_TYPE, simulation: true, kind, subjectDigest })}\n`;
}

/** Stands in for signatures where a plan is simulated: accepts mock statements about the subject, and nothing real. */
export const mockSignatures: MockSignatures = {
  simulated: true,
  make: (kind, subjectDigest) => Buffer.from(mockEvidence(kind, subjectDigest), "utf8"),
  async verify(kind, bundle, { subjectDigest }) {
    const mock = readMock(bundle);
    if (mock === null)
      return { ok: false, code: "malformed-bundle", reason: "a simulated plan takes mock evidence only" };
    if (mock.kind !== kind)
      return { ok: false, code: "wrong-predicate-type", reason: `the mock is not evidence of ${kind}` };
    if (mock.subjectDigest !== subjectDigest) {
      return { ok: false, code: "wrong-subject", reason: `the mock is not about ${subjectDigest}` };
    }
    return { ok: true, kind, keyId: MOCK_KEY_ID, provenAtMs: null, simulated: true };
  },
};

const mockSchema = z.strictObject({
  mediaType: z.literal(MOCK_MEDIA_TYPE),
  simulation: z.literal(true),
  kind: z.string(),
  subjectDigest: z.string(),
});

const MOCK_BYTES_MAX = 4096;

function readMock(bundle: Uint8Array): z.infer<typeof mockSchema> | null {
  if (bundle.length > MOCK_BYTES_MAX) return null;
  try {
    const parsed = mockSchema.safeParse(JSON.parse(Buffer.from(bundle).toString("utf8")));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
