import { describe, expect, test } from "vitest";
import { CaptureFields, type CaptureRules, PROTOCOL_FIELDS } from "./capture-fields.ts";

const KEY = Buffer.alloc(32, 7);
const fieldsOf = (rules: Partial<CaptureRules> = {}) =>
  new CaptureFields({ fields: PROTOCOL_FIELDS, textFields: [], pseudonymFields: [], pseudonymKey: KEY, ...rules });
const json = (rules: Partial<CaptureRules>, body: unknown) =>
  JSON.parse(fieldsOf(rules).json("acme", JSON.stringify(body))?.data ?? '"none"');

describe("captured JSON", () => {
  test("keeps rows of numbers as they came", () => {
    for (const text of ['{"instances": [[1, 2.5e3], [-1, 0]]}', "[[1,2]]", ' {"predictions":[0.5]} '])
      expect(fieldsOf().json("acme", text)).toEqual({ data: text, isPartial: false });
  });

  test("leaves out texts, and names that nobody listed with all that is in them", () => {
    const body = {
      instances: [{ age: 41, name: "Ada", "ada@example.com": { age: 1 } }, [1, "text", true, null]],
      customer: "Ada",
      note: { instances: [1] },
    };
    expect(json({}, body)).toEqual({ instances: [{}, [1, null, true, null]] });
    expect(json({ fields: [...PROTOCOL_FIELDS, "age"] }, body).instances[0]).toEqual({ age: 41 });
    expect(json({ textFields: ["name"] }, body).instances[0]).toEqual({ name: "Ada" });
    expect(json({ fields: [] }, body)).toEqual({});
    expect(fieldsOf({ fields: [] }).json("acme", "[1]")).toEqual({ data: "null", isPartial: true });
    expect(json({ fields: [] }, ["Ada"])).toEqual([null]);
  });

  test("writes identifiers as pseudonyms: the same within a tenant, another in the next, none without a key", () => {
    const rules = { pseudonymFields: ["customer"] };
    const [one, two, three] = json(rules, [{ customer: "c-17" }, { customer: "c-17" }, { customer: 18 }]);
    expect(one.customer).toMatch(/^p_[\w-]{22}$/);
    expect(two).toEqual(one);
    expect(three.customer).not.toBe(one.customer);
    const other = fieldsOf(rules).json("other", '[{"customer":"c-17"}]')?.data;
    expect(other).toMatch(/p_/);
    expect(other).not.toContain(one.customer);
    const { pseudonymKey: _key, ...keyless } = { pseudonymKey: KEY, fields: [], textFields: [], ...rules };
    expect(new CaptureFields(keyless).json("acme", '[{"customer":"c-17"}]')?.data).toBe("[{}]");
    // A name that is listed twice is an identifier.
    expect(json({ ...rules, textFields: ["customer"] }, [{ customer: "c-17" }])).toEqual([one]);
    expect(json({ pseudonymFields: ["instances"] }, { instances: [17] }).instances[0]).toMatch(/^p_/);
  });

  test("reads the Open Inference Protocol's tensors by their names", () => {
    const tensor = (name: string, data: unknown[]) => ({
      name,
      shape: [data.length],
      datatype: "FP32",
      data,
      parameters: { x: "Ada" },
    });
    const body = {
      id: "ada@example.com",
      inputs: [tensor("age", [41]), tensor("customer", ["c-17"]), tensor("city", ["Ulm"])],
    };
    const bare = { shape: [1], datatype: "FP32" };
    expect(json({}, body)).toEqual({
      inputs: [
        { name: "age", ...bare, data: [41] },
        { name: "customer", ...bare, data: [null] },
        { name: "city", ...bare, data: [null] },
      ],
    });
    const listed = json({ textFields: ["city"], pseudonymFields: ["customer"] }, body);
    expect(listed.inputs[1].data[0]).toMatch(/^p_/);
    expect(listed.inputs[2].data).toEqual(["Ulm"]);
  });

  test("keeps nothing of what is no JSON, and takes names for data", () => {
    expect(fieldsOf().json("acme", "{ada@example.com")).toBeUndefined();
    expect(json({}, JSON.parse('{"__proto__":{"instances":[1]},"instances":[2]}'))).toEqual({ instances: [2] });
    expect(json({ fields: ["__proto__"] }, JSON.parse('{"__proto__":[1]}'))).toEqual(JSON.parse('{"__proto__":[1]}'));
    expect(json({ fields: ["a.b"] }, { axb: [1], "a.b": [2] })).toEqual({ "a.b": [2] });
  });
});

describe("captured CSV", () => {
  test("keeps cells that are numbers", () => {
    expect(fieldsOf().csv("acme", "1,2.5\n3,4\n").data).toBe("1,2.5\n3,4\n");
    expect(fieldsOf().csv("acme", "1,Ada,2.50\n,ada@example.com,3").data).toBe("1,,2.50\n,,3");
    expect(fieldsOf({ fields: [] }).csv("acme", "1,2").data).toBe(",");
    expect(fieldsOf({ textFields: ["instances"] }).csv("acme", "1,Ada").data).toBe("1,Ada");
  });
});

test("a body that is nested as deeply as its bytes allow is left out", () => {
  const deep = `{"data":${"[".repeat(32_000)}"x"${"]".repeat(32_000)}}`;
  expect([undefined, deep.replace('"x"', "null")]).toContain(fieldsOf().json("acme", deep)?.data);
});

test("hostile bodies take no longer than others", () => {
  const fields = fieldsOf();
  for (const text of [
    "[".repeat(65_000),
    `{"instances":${"[".repeat(65_000)}`,
    "1 ".repeat(32_000),
    `${" ".repeat(65_000)}x`,
    `{"instances"${" ".repeat(65_000)}`,
  ]) {
    const before = process.cpuUsage();
    fields.json("acme", text);
    fields.csv("acme", text);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(200);
  }
});
