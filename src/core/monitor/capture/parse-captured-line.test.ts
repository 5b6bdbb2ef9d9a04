import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCapturedLine } from "./parse-captured-line.ts";
import { captureTenantKey, INFERENCE_ID, inferencePseudonym, pseudonymOf, pseudonymOfInference } from "./pseudonym.ts";

const KEY = captureTenantKey(Buffer.alloc(32, 7), "acme");
const BODY = { observedContentType: "application/json", mode: "INPUT", encoding: "JSON", data: "[1]" };
const CONTINUUM = {
  requestId: "a1b2-1",
  variant: "01J",
  role: "candidate",
  modelVersion: "2.0.0",
  candidateProbability: 0.1,
  status: 200,
  latencyMs: 2.5,
};
const METADATA = { eventId: "e-1", inferenceTime: "2030-01-31T12:00:00.100Z" };
const RECORD = {
  captureData: { endpointInput: BODY, endpointOutput: { ...BODY, mode: "OUTPUT" } },
  eventMetadata: METADATA,
  eventVersion: "0",
};
const parse = (record: unknown) => parseCapturedLine(JSON.stringify(record));
const inferenceOf = (record: unknown) => {
  const parsed = parse(record);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return parsed.value;
};

describe("a line of our own", () => {
  test("says when, by which version and how a request was answered", () => {
    const value = inferenceOf({ ...RECORD, continuum: CONTINUUM });
    expect(value).toEqual({
      inferenceId: { raw: "a1b2-1" },
      requestedAtMs: Date.parse("2030-01-31T12:00:00.0975Z") + 0.5,
      answeredAtMs: Date.parse("2030-01-31T12:00:00.100Z"),
      continuum: { ...CONTINUUM, attempts: 1, failedOver: false },
      input: { encoding: "JSON", data: "[1]", isPartial: false },
      output: { encoding: "JSON", data: "[1]", isPartial: false },
    });
    const retried = inferenceOf({ ...RECORD, continuum: { ...CONTINUUM, attempts: 2, failedOver: true } });
    expect(retried.continuum).toMatchObject({ attempts: 2, failedOver: true });
  });

  test("goes by the pseudonym of the caller's id, or of the request's", () => {
    const named = inferenceOf({
      ...RECORD,
      continuum: CONTINUUM,
      eventMetadata: { ...METADATA, inferenceId: inferencePseudonym(KEY, "order-17") },
    });
    expect(pseudonymOfInference(KEY, named)).toBe(inferencePseudonym(KEY, "order-17"));
    const unnamed = inferenceOf({ ...RECORD, continuum: CONTINUUM });
    expect(pseudonymOfInference(KEY, unnamed)).toBe(inferencePseudonym(KEY, "a1b2-1"));
  });

  test("with bodies that were left out", () => {
    const left = { ...BODY, data: null, omittedBytes: 70_000 };
    const value = inferenceOf({
      ...RECORD,
      continuum: CONTINUUM,
      captureData: { endpointInput: left, endpointOutput: { ...BODY, partial: true } },
    });
    expect(value.input?.data).toBeNull();
    expect(value.output?.isPartial).toBe(true);
  });
});

describe("a line of SageMaker's", () => {
  test("has no version of ours, and goes by its inference id or its event", () => {
    const value = inferenceOf(RECORD);
    expect(value).toMatchObject({ continuum: null, inferenceId: { raw: "e-1" } });
    expect(value.requestedAtMs).toBe(value.answeredAtMs);
    const named = inferenceOf({ ...RECORD, eventMetadata: { ...METADATA, inferenceId: "order-17" } });
    expect(pseudonymOfInference(KEY, named)).toBe(inferencePseudonym(KEY, "order-17"));
  });

  test.each([
    ["text/csv; charset=utf-8", "1,2", "CSV"],
    ["application/json", "[1]", "JSON"],
    ["application/x-other", ' {"instances":[1]}', "JSON"],
    ["", "1,2", "CSV"],
  ])("in base 64, of type %j", (observedContentType, text, encoding) => {
    const data = Buffer.from(text).toString("base64");
    const endpointInput = { ...BODY, observedContentType, encoding: "BASE64", data };
    const value = inferenceOf({ ...RECORD, captureData: { endpointInput } });
    expect(value.input).toEqual({ encoding, data: text, isPartial: false });
    expect(value.output).toBeNull();
  });
});

test.each([
  ["half a line", "", '{"captureData":{"endpointInput":{"data":"secret'],
  ["an array", "", '["secret"]'],
  ["no captureData", "/captureData", JSON.stringify({ ...RECORD, captureData: "secret" })],
  [
    "no time",
    "/eventMetadata/inferenceTime",
    JSON.stringify({ ...RECORD, eventMetadata: { inferenceTime: "secret" } }),
  ],
  ["no id", "/eventMetadata/eventId", JSON.stringify({ ...RECORD, eventMetadata: { ...METADATA, eventId: 5 } })],
  ["no status", "/continuum", JSON.stringify({ ...RECORD, continuum: { ...CONTINUUM, status: "secret" } })],
  [
    "a probability of 2",
    "/continuum",
    JSON.stringify({ ...RECORD, continuum: { ...CONTINUUM, candidateProbability: 2 } }),
  ],
  ["another role", "/continuum", JSON.stringify({ ...RECORD, continuum: { ...CONTINUUM, role: "secret" } })],
])("with %s it is refused, and nothing of it is repeated", (_what, path, line) => {
  const parsed = parseCapturedLine(line);
  expect(parsed).toMatchObject({ ok: false, problem: { path } });
  expect(JSON.stringify(parsed)).not.toContain("secret");
});

test("any line has an answer", () => {
  const line = JSON.stringify({ ...RECORD, continuum: CONTINUUM });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.nat(line.length).map((at) => line.slice(0, at)),
      ),
      (any) => {
        expect(typeof parseCapturedLine(any).ok).toBe("boolean");
      },
    ),
  );
});

describe("pseudonyms", () => {
  test("are the same for a tenant's same text and for nothing else", () => {
    const other = captureTenantKey(Buffer.alloc(32, 7), "other");
    const all = [
      inferencePseudonym(KEY, "17"),
      inferencePseudonym(KEY, "18"),
      inferencePseudonym(other, "17"),
      pseudonymOf(KEY, "17"),
      pseudonymOf(KEY, "inference\n17"),
    ];
    expect(new Set(all.map((one) => one.slice(2))).size).toBe(4);
    expect(new Set(all).size).toBe(5);
    expect(all.every((one) => /^[ip]_[\w-]{22}$/.test(one))).toBe(true);
    expect(inferencePseudonym(KEY, "17")).toBe(all[0]);
  });

  test("ids have 1 to 64 printable characters", () => {
    expect(["order 17/ä", "", "x".repeat(65), "a\nb"].map((id) => INFERENCE_ID.test(id))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(["x", "order 17/~", "x".repeat(64)].map((id) => INFERENCE_ID.test(id))).toEqual([true, true, true]);
  });
});
