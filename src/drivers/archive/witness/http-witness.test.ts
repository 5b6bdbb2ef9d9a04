import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ARCHIVE_SIGNER, archiveConformance, newOrigin, submissionOf } from "../archive.conformance.ts";
import { httpWitness } from "./http-witness.ts";
import { type TinyWitness, tinyWitness } from "./testing/tiny-witness.ts";

archiveConformance("of an HTTP witness", async () => {
  const witness = await tinyWitness((origin) => ARCHIVE_SIGNER.keys(origin));
  return { archive: httpWitness(witness), witnessKeys: witness.keys, close: () => witness.close() };
});

describe("a witness", () => {
  let witness: TinyWitness;
  beforeAll(async () => {
    witness = await tinyWitness((origin) => (origin.includes("unknown") ? [] : ARCHIVE_SIGNER.keys(origin)));
  });
  afterAll(() => witness.close());

  test("is believed when it says how much of the log it has seen", async () => {
    const origin = newOrigin();
    await httpWitness(witness).publish(submissionOf(origin, 4));
    witness.answered.length = 0;
    await httpWitness(witness).publish(submissionOf(origin, 9, { lastSize: 0 }));
    expect(witness.answered).toEqual([409, 200]);
    await expect(httpWitness(witness).publish(submissionOf(origin, 5, { lastSize: 4 }))).rejects.toMatchObject({
      code: "archive-conflict",
    });
  });

  test("sees through a log that was rewritten and grew", async () => {
    const origin = newOrigin();
    await httpWitness(witness).publish(submissionOf(origin, 4));
    const rewritten = submissionOf(origin, 9, { lastSize: 4, story: "false" });
    await expect(httpWitness(witness).publish(rewritten)).rejects.toMatchObject({ code: "archive-conflict" });
    expect(witness.seen.get(origin)?.size).toBe(4);
  });

  test("that does not know the log, or answers under another key, has witnessed nothing", async () => {
    const unknown = submissionOf("continuum/0123456789abcdef/unknown", 4);
    await expect(httpWitness(witness).publish(unknown)).rejects.toMatchObject({ code: "archive-refused" });
    const other = await tinyWitness(() => []);
    await other.close();
    const mistaken = httpWitness({ url: witness.url, keys: other.keys });
    await expect(mistaken.publish(submissionOf(newOrigin(), 4))).rejects.toMatchObject({ code: "archive-refused" });
  });

  test("that is away can be asked again", async () => {
    const gone = await tinyWitness(() => []);
    await gone.close();
    await expect(httpWitness(gone).publish(submissionOf(newOrigin(), 4))).rejects.toMatchObject({
      code: "archive-unavailable",
      retryable: true,
    });
  });
});
