import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CapturedInference, RowShape } from "../../core/monitor/capture/captured-inference.ts";
import { parseCapturedLine } from "../../core/monitor/capture/parse-captured-line.ts";
import { captureTenantKey, inferencePseudonym, pseudonymOfInference } from "../../core/monitor/capture/pseudonym.ts";
import { readRows } from "../../core/monitor/capture/read-rows.ts";
import { type ServingFixture, servingFixture, TOKEN } from "../testing/serving-fixture.ts";
import { labelModel } from "../testing/test-models.ts";
import { PROTOCOL_FIELDS } from "./capture-fields.ts";

const KEY = Buffer.alloc(32, 7);
const SHAPE: RowShape = {
  columns: ["a", "b", "c"],
  optional: [],
  answer: { problem: "multiclass", prediction: "label", probability: null },
};
const ROWS = [
  [1, 2, 3],
  [4, 5, 6],
];

let fixture: ServingFixture;
beforeAll(async () => {
  const rules = { fields: PROTOCOL_FIELDS, textFields: [], pseudonymFields: [], pseudonymKey: KEY };
  fixture = await servingFixture({
    capture: { rules: { ...rules, fields: [...PROTOCOL_FIELDS, "features"] } },
  });
  await fixture.serve("v1", labelModel());
});
afterAll(() => fixture.dispose());

async function captured(): Promise<CapturedInference[]> {
  await fixture.serving.close();
  const directory = join(fixture.options.captureDir, "acme", "development-churn");
  const texts = await Promise.all((await readdir(directory)).map((name) => readFile(join(directory, name), "utf8")));
  fixture.serving = await fixture.restart();
  return texts
    .join("")
    .trimEnd()
    .split("\n")
    .flatMap((line) => {
      const parsed = parseCapturedLine(line);
      expect(parsed).toMatchObject({ ok: true });
      return parsed.ok ? [parsed.value] : [];
    });
}

it("what was served is read again as it was asked and answered, in every protocol", async () => {
  const csv = { "content-type": "text/csv" };
  const open = (body: object) =>
    fetch(`${fixture.serving.url}/v2/models/development-churn/infer`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const tensor = { name: "features", shape: [2, 3], datatype: "FP32", data: ROWS.flat() };
  const answers = [
    await fixture.invoke(JSON.stringify({ instances: ROWS }), { "x-amzn-sagemaker-inference-id": "order 17" }),
    await fixture.invoke(JSON.stringify(ROWS)),
    await fixture.invoke(JSON.stringify({ instances: ROWS.map((features) => ({ features })) })),
    await fixture.invoke(JSON.stringify({ inputs: { features: ROWS } })),
    await fixture.invoke("1,2,3\n4,5,6\n", csv),
    await open({ inputs: [tensor] }),
  ];
  expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
  const ids = answers.map(({ headers }) => headers.get("x-request-id") ?? "");
  await fixture.invoke("{");
  const inferences = await captured();
  expect(inferences).toHaveLength(7);
  const tenantKey = captureTenantKey(KEY, "acme");
  for (const [at, inference] of inferences.slice(0, 6).entries()) {
    const { rows, answers: told, unreadRows } = readRows(inference, SHAPE);
    expect(unreadRows).toBeNull();
    expect(rows.map((row) => row.map(Number))).toEqual(ROWS);
    expect(told?.map(({ predicted }) => predicted)).toEqual(["6", "15"]);
    const id = at === 0 ? "order 17" : (ids[at] ?? "");
    expect(pseudonymOfInference(tenantKey, inference)).toBe(inferencePseudonym(tenantKey, id));
    expect(inference.requestedAtMs).toBeLessThanOrEqual(inference.answeredAtMs);
    expect(inference.continuum).toMatchObject({ variant: "v1", role: "stable", attempts: 1, failedOver: false });
    expect(JSON.stringify(inference)).not.toContain("order");
  }
  for (const failed of inferences.slice(6)) expect(readRows(failed, SHAPE).unreadRows).toBe("failed");
});

it("an inference id that nobody could find again is refused", async () => {
  for (const id of ["x".repeat(65), "caf\u00e9"]) {
    const response = await fixture.invoke(JSON.stringify(ROWS), { "x-amzn-sagemaker-inference-id": id });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: "malformed-request",
      detail: expect.stringContaining("1 to 64 printable"),
    });
  }
});
