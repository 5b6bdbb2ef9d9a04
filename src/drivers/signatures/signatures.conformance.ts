import { describe, expect, test } from "vitest";
import type { EvidenceContext, Signatures } from "./signatures.ts";

export interface SignaturesUnderTest {
  signatures: Signatures;
  /** Good test evidence about `context.subjectDigest`. */
  tests: Uint8Array;
  /** What another driver would accept as such. */
  foreign: Uint8Array;
  context: EvidenceContext;
}

/** What every judge of signatures must hold to. */
export function signaturesConformance(name: string, make: () => Promise<SignaturesUnderTest>): void {
  describe(`signatures: ${name}`, () => {
    test("accepts good evidence and says whether it is simulated", async () => {
      const { signatures, tests, context } = await make();
      const verdict = await signatures.verify("tests", tests, context);
      expect(verdict).toMatchObject({
        ok: true,
        kind: "tests",
        simulated: signatures.simulated,
        keyId: expect.stringMatching(/./),
      });
      expect(await signatures.verify("tests", tests, context)).toEqual(verdict);
    });

    test("refuses it about another subject and as another kind", async () => {
      const { signatures, tests, context } = await make();
      for (const subjectDigest of [`sha256:${"0".repeat(64)}`, context.subjectDigest.slice(0, -1), ""]) {
        expect(await signatures.verify("tests", tests, { ...context, subjectDigest })).toMatchObject({
          ok: false,
          code: "wrong-subject",
        });
      }
      for (const kind of ["image-signature", "manifest-signature", "provenance", "approver-signature"] as const) {
        expect(await signatures.verify(kind, tests, context)).toMatchObject({ ok: false });
      }
    });

    test("refuses another driver's evidence, what was changed, and what is none", async () => {
      const { signatures, tests, foreign, context } = await make();
      const changed = Buffer.from(tests.map((byte, at) => (at === 1 ? byte ^ 1 : byte)));
      for (const bundle of [foreign, changed, Buffer.alloc(0), Buffer.from("null"), Buffer.alloc(10_000_000, 0x20)]) {
        expect(await signatures.verify("tests", bundle, context)).toMatchObject({
          ok: false,
          reason: expect.stringMatching(/./),
        });
      }
    });
  });
}
