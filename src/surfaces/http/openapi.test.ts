import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import type { Operation } from "../../contract/operation.ts";
import { operations } from "../../contract/operations.ts";
import { OPEN_OPERATIONS, openApiDocument } from "./openapi.ts";

type Json = Record<string, unknown>;
const document = openApiDocument({ version: "1.2.3", serverUrl: "http://127.0.0.1:7400" });
const paths = document["paths"] as Record<string, Record<string, Json>>;
const schemas = (document["components"] as { schemas: Record<string, Json> }).schemas;

/** Every value of a key, wherever it stands. */
function all(value: unknown, key: string): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => all(item, key));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...all(inner, key)]);
}

describe("the OpenAPI document", () => {
  test("is valid by the specification's own schema for 3.1", async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(validator.version).toBe("3.1");
  });

  test("describes each operation of the contract once, and no other", () => {
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, { operationId }]) => `${String(operationId)} ${method.toUpperCase()} ${path}`,
      ),
    );
    const offered = (Object.entries({ ...operations, ...OPEN_OPERATIONS }) as [string, Operation][]).map(
      ([name, { method, path }]) => `${name} ${method} ${path}`,
    );
    expect(described.sort()).toEqual(offered.sort());
  });

  test("declares each parameter of a path, and only those", () => {
    for (const [path, methods] of Object.entries(paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
      for (const { parameters = [] } of Object.values(methods)) {
        const declared = (parameters as Json[]).filter((one) => one["in"] === "path");
        expect(declared.map((one) => one["name"]).sort()).toEqual(named);
        expect(declared.every((one) => one["required"] === true)).toBe(true);
      }
    }
  });

  test("refers to nothing that it does not hold", () => {
    const references = all(document, "$ref") as string[];
    expect(references.length).toBeGreaterThan(20);
    const missing = references.filter((one) => !Object.hasOwn(schemas, one.replace("#/components/schemas/", "")));
    expect(missing).toEqual([]);
    expect(JSON.stringify(document)).not.toContain("$defs");
    // A name that only stands for itself would describe nothing.
    expect(Object.entries(schemas).filter(([, schema]) => "$ref" in schema)).toEqual([]);
  });

  test("gives every operation an answer, a problem, and who may ask", () => {
    for (const methods of Object.values(paths)) {
      for (const described of Object.values(methods)) {
        const name = String(described["operationId"]) as keyof typeof operations;
        if (Object.hasOwn(OPEN_OPERATIONS, name)) continue;
        const operation: Operation = operations[name];
        const responses = described["responses"] as Record<string, Json>;
        expect(Object.keys(responses).sort()).toEqual([String(operation.status ?? 200), "default"].sort());
        expect(described["x-permission"]).toBe(operation.permission);
        expect(described["x-principal-kinds"]).toEqual(
          operation.humansOnly ? ["human"] : ["human", "agent", "service"],
        );
        expect("requestBody" in described).toBe(operation.body !== undefined);
      }
    }
  });

  test("takes an Idempotency-Key on every POST", () => {
    for (const methods of Object.values(paths)) {
      for (const [method, { parameters, security }] of Object.entries(methods)) {
        if (security !== undefined) continue;
        const keys = (parameters as Json[]).filter((one) => one["name"] === "Idempotency-Key");
        expect(keys).toHaveLength(method === "post" ? 1 : 0);
      }
    }
  });

  test("says of the ways in that they need no credential, and of nothing else", () => {
    const open = Object.values(paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ operationId, security }) => (security === undefined ? [] : [operationId])),
    );
    expect(open.sort()).toEqual(Object.keys(OPEN_OPERATIONS).sort());
  });

  test("keeps answers open for what later versions add, and plans closed to what nobody knows", () => {
    expect(schemas["Rollout"]).not.toHaveProperty("additionalProperties");
    expect(schemas["DeploymentPlan"]).toMatchObject({ additionalProperties: false });
  });
});
