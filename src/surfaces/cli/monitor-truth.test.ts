import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runForTest } from "./testing/run-for-test.ts";
import { json, problem, type SmallServer, smallServer } from "./testing/small-server.ts";

let folder: string;
let server: SmallServer;
let failAt: number;
const PATH = "/v1/endpoints/production/local/churn/ground-truth";

interface Sent {
  records: Record<string, unknown>[];
}
const pages = () => server.seen.map(({ body }) => (JSON.parse(body.toString()) as Sent).records);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "continuum-truth-"));
  failAt = Number.POSITIVE_INFINITY;
  server = await smallServer({
    [`POST ${PATH}`]: (request, response) => {
      const { records } = JSON.parse(request.body.toString()) as Sent;
      if (server.seen.length > failAt)
        return problem(response, { status: 429, code: "quota-exceeded", detail: "too many labels wait" });
      json(response, 200, { added: records.length, replaced: 0, unchanged: 0, refused: 0 });
    },
  });
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(file: string, content: string | Uint8Array, ...more: string[]) {
  writeFileSync(join(folder, file), content);
  const variables = { CONTINUUM_URL: server.url, CONTINUUM_TOKEN: "ctm_test" };
  return runForTest(["monitor", "truth", "churn", "-e", "production", "-f", file, ...more], {
    folder,
    variables,
  });
}

describe("monitor truth", () => {
  it("sends JSON Lines of both shapes", async () => {
    const lines = [
      { inferenceId: "a", label: 1, facet: "f" },
      { groundTruthData: { data: "0", encoding: "CSV" }, eventMetadata: { eventId: "b" }, eventVersion: "0" },
    ];
    const { code, out } = await run("labels.jsonl", `\n${lines.map((line) => JSON.stringify(line)).join("\r\n")}\n\n`);
    expect([code, out]).toEqual([0, "2 records: 2 new, 0 replaced, 0 known already labels\n"]);
    expect(pages()).toEqual([lines]);
  });

  it("sends tables by their columns, with the rows of one request one by one", async () => {
    const csv = "inference_id,label,facet,row,at\na,1,f,,\nb,no,,2,2026-11-23T10:00:00Z\n";
    expect((await run("labels.csv", csv)).code).toBe(0);
    expect(pages()).toEqual([
      [
        { inferenceId: "a", label: "1", facet: "f" },
        { inferenceId: "b", labels: [null, null, "no"], at: "2026-11-23T10:00:00Z" },
      ],
    ]);
    const parquet = parquetWriteBuffer({
      columnData: [
        { name: "order", data: ["x", "y"] },
        { name: "churned", data: [0, 1], type: "INT32" },
      ],
    });
    expect((await run("labels.parquet", new Uint8Array(parquet), "--id", "order", "--label", "churned")).code).toBe(0);
    expect(pages()[1]).toEqual([
      { inferenceId: "x", label: 0 },
      { inferenceId: "y", label: 1 },
    ]);
  });

  it("goes in pages, and says where to go on after one that was not taken", async () => {
    const text = Array.from({ length: 2500 }, (_, i) => JSON.stringify({ inferenceId: `i${i}`, label: 1 })).join("\n");
    failAt = 2;
    const broken = await run("labels.jsonl", text);
    expect(broken.code).toBe(1);
    expect(broken.err).toContain("records up to 2000 were taken: go on with --from 2001");
    failAt = Number.POSITIVE_INFINITY;
    const rest = await run("labels.jsonl", text, "--from", "2001", "-o", "json");
    expect(JSON.parse(rest.out)).toMatchObject({ records: 500, added: 500 });
    expect(pages().at(-1)?.[0]).toEqual({ inferenceId: "i2000", label: 1 });
  });

  it.each([
    ["no label", '{"inferenceId":"a","label":1}\n{"inferenceId":"secret-id"}\n', "record 2 (line 2)"],
    ["no JSON", '{"inferenceId":"a","label":1}\n{secret-id\n', "record 2 (line 2)"],
    ["no id column", "customer,label\nsecret-id,1\n", "no column inference_id"],
    ["no id", "inference_id,label\n,1\n", "record 1 (row 1)"],
    ["a row that is none", "inference_id,label,row\nsecret-id,1,x\n", "record 1 (row 1)"],
  ])("takes %s for a mistake, and says where without saying what", async (_what, content, where) => {
    const { code, err } = await run("labels.txt", content);
    expect([code, server.seen]).toEqual([64, []]);
    expect(err).toContain(where);
    expect(err).not.toContain("secret-id");
    expect(err.trimEnd().split("\n")).toHaveLength(1);
  });
});
