import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { checkGolden, type Golden } from "../../../../test/fixtures/quality/check-golden.ts";

const goldens = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/quality/goldens.json", import.meta.url), "utf8"),
) as Golden[];

it("has goldens of every kind", () => {
  expect(new Set(goldens.map(({ kind }) => kind))).toEqual(new Set(["binary", "multiclass", "regression", "bias"]));
});

it.each(goldens.map((golden, at) => [`${golden.kind} ${at}`, golden] as const))(
  "agrees with scikit-learn and AWS's definitions: %s",
  (_name, golden) => checkGolden(golden),
);
