import { z } from "zod";

/**
 * in-toto Statement v1 and the predicates that this project reads. Sources: in-toto/attestation `spec/v1/statement.md`,
 * `spec/v1/resource_descriptor.md`, `spec/predicates/test-result.md`. Unknown fields are refused: evidence that says
 * something we do not understand is not evidence.
 */

export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
/** What `cosign attest-blob` still writes around today's predicates. The two say the same where this schema holds; it is read and never written. */
const OLDER_STATEMENT_TYPE = "https://in-toto.io/Statement/v0.1";
export const TEST_RESULT_TYPE = "https://in-toto.io/attestation/test-result/v0.1";

const text = z.string().max(4096);
const digestSet = z
  .record(z.string().min(1).max(64), z.string().min(1).max(256))
  .refine((digests) => Object.keys(digests).length > 0, "must hold at least one digest");

const descriptorFields = {
  name: text.optional(),
  uri: text.optional(),
  content: z.string().max(65_536).optional(),
  downloadLocation: text.optional(),
  mediaType: text.optional(),
  annotations: z.record(z.string().max(256), z.unknown()).optional(),
};
const resourceDescriptorSchema = z.strictObject({ ...descriptorFields, digest: digestSet.optional() });

export const statementSchema = z.strictObject({
  _type: z.enum([STATEMENT_TYPE, OLDER_STATEMENT_TYPE]),
  /** What the statement is about: only the digests count, a name is a remark. */
  subject: z
    .array(z.strictObject({ ...descriptorFields, digest: digestSet }))
    .min(1)
    .max(1024),
  predicateType: z.string().min(1).max(1024),
  predicate: z.unknown(),
});

const testNames = z.array(z.string().min(1).max(1024)).max(200_000).optional();

export const testResultSchema = z
  .strictObject({
    result: z.enum(["PASSED", "WARNED", "FAILED"]),
    /** What the tests ran with; the digest of the report stands here too. */
    configuration: z.array(resourceDescriptorSchema).max(1024),
    url: text.optional(),
    passedTests: testNames,
    warnedTests: testNames,
    failedTests: testNames,
  })
  .refine(({ result, failedTests = [] }) => result === "FAILED" || failedTests.length === 0, {
    path: ["result"],
    message: "must be FAILED where failedTests names a test",
  });

export type Statement = z.infer<typeof statementSchema>;
export type TestResult = z.infer<typeof testResultSchema>;
export type ResourceDescriptor = z.infer<typeof resourceDescriptorSchema>;

/** Whether the statement is about exactly the bytes with this digest, `sha256:` and 64 hexadecimal digits. */
export function isAbout(statement: Statement, subjectDigest: string): boolean {
  return subjectDigestsOf(statement).includes(subjectDigest);
}

/** The well-formed SHA-256 digests of the subjects, `sha256:...` each. */
export function subjectDigestsOf({ subject }: Statement): string[] {
  return subject
    .map(({ digest }) => (Object.hasOwn(digest, "sha256") ? digest["sha256"] : undefined))
    .filter((hex) => hex !== undefined && /^[0-9a-f]{64}$/.test(hex))
    .map((hex) => `sha256:${hex}`);
}
