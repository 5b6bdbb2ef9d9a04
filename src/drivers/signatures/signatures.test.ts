import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { signStatement } from "../../core/evidence/sign.ts";
import { generateSigningKey } from "../../core/evidence/signing-key.ts";
import { buildTestResult } from "../../core/evidence/test-result.ts";
import { localSignatures } from "./local/local-signatures.ts";
import { mockEvidence, mockSignatures } from "./mock/mock-signatures.ts";
import { signaturesConformance } from "./signatures.conformance.ts";

const subjectDigest = `sha256:${createHash("sha256").update("model").digest("hex")}`;
const key = generateSigningKey(randomBytes);
const { keyId, spkiPem } = key.publicKey;
const DAY_MS = 86_400_000;
const maxAgeMs = { tests: DAY_MS, "manifest-signature": DAY_MS, "image-signature": DAY_MS, provenance: DAY_MS };
const trust = {
  ...{ signers: [{ kind: "key" as const, keyId, spkiPem, purpose: "tests" as const }], builders: [] as string[] },
  ...{ trustedRoot: null, maxAgeMs },
};
const context = { subjectDigest, trust, nowMs: 0, acceptedAtMs: 0 };

const built = buildTestResult({
  junit: Buffer.from("<testsuite><testcase/></testsuite>"),
  subjects: [{ digest: subjectDigest }],
});
if (!built.ok) throw new Error(built.problem.message);
const real = Buffer.from(signStatement(built.value.statement, key));
const mock = Buffer.from(mockEvidence("tests", subjectDigest));

signaturesConformance("local", async () => ({ signatures: localSignatures, tests: real, foreign: mock, context }));
signaturesConformance("mock", async () => ({ signatures: mockSignatures, tests: mock, foreign: real, context }));

describe("the local driver", () => {
  test("asks for the trust of now at each call", async () => {
    expect(await localSignatures.verify("tests", real, { ...context, trust: { ...trust, signers: [] } })).toMatchObject(
      {
        code: "untrusted-key",
      },
    );
  });

  test("says which kinds it cannot judge, and fails on a broken list of keys", async () => {
    expect(await localSignatures.verify("baseline", real, context)).toMatchObject({ code: "not-available" });
    const signers = [{ kind: "key" as const, keyId: "sha256:0", spkiPem, purpose: "tests" as const }];
    const broken = { ...context, trust: { ...trust, signers } };
    await expect(localSignatures.verify("tests", real, broken)).rejects.toMatchObject({
      code: "bad-trusted-key",
    });
  });
});
