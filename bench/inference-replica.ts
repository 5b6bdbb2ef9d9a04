import { createServer } from "node:http";
import { INPUT_FORMAT, OUTPUT_FORMAT } from "../src/serving/replica/frames.ts";
import { Model } from "../src/serving/replica/model.ts";
import { sumModel } from "../src/serving/testing/test-models.ts";
import { serveCalls } from "./child.ts";

/**
 * The same model in the same runtime as a replica of ours, behind plain HTTP, for a balancer that speaks HTTP to
 * stand in front of: `inference-replica.ts VARIANT`.
 */
const [variant = "stable"] = process.argv.slice(2);
const model = await Model.load({
  bytes: sumModel({ bias: variant === "stable" ? 0 : 1 }),
  threads: 2,
  servedName: "development-churn",
  modelVersion: "1.0.0",
});
await model.warmUp();
let answered = 0;
let lastAtMs = 0;
let broken = false;

const server = createServer({ keepAliveTimeout: 65_000, noDelay: true }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", async () => {
    const { status, body } = await model.answer(Buffer.concat(chunks), INPUT_FORMAT.json, OUTPUT_FORMAT.json);
    answered += 1;
    lastAtMs = Date.now();
    response.writeHead(broken ? 500 : status, { "content-type": "application/json", "x-variant": variant });
    response.end(body);
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const port = typeof address === "object" ? address?.port : undefined;

serveCalls(
  {
    port: async () => port,
    breakDown: async () => {
      broken = true;
    },
    counts: async () => ({ answered, lastAtMs }),
  },
  async () => {
    server.closeAllConnections();
    server.close();
  },
);
