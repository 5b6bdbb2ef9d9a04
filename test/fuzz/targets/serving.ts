import fc from "fast-check";
import { onnxModel } from "../../../src/quickstart/onnx/model.ts";
import { INVOKE_PROBLEMS } from "../../../src/serving/router/problem.ts";
import { type ServingFixture, servingFixture, TOKEN } from "../../../src/serving/testing/serving-fixture.ts";
import { sumModel } from "../../../src/serving/testing/test-models.ts";
import { checkAnswer, readAnswer } from "../answers.ts";
import { exchange } from "../exchange.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { framings, isWhole, otherMethods, requestBytes, strangeHeaders } from "../http-request.ts";
import { holds } from "../violation.ts";
import { bodyArbitrary } from "./request-bodies.ts";

/** Takes any shape of two dimensions, so that the size of an input is the caller's. */
function wideModel(): Uint8Array {
  return onnxModel({
    name: "wide",
    inputs: [{ name: "x", type: "float", shape: ["N", "M"] }],
    outputs: [{ name: "y", type: "float", shape: ["N", "M"] }],
    nodes: [{ operator: "Add", inputs: ["x", "one"], outputs: ["y"] }],
    initializers: [{ name: "one", type: "float", shape: [1], values: [1] }],
    opset: { standard: 17 },
  });
}

const PATHS = [
  ...["churn", "wide"].flatMap((name) => [
    `/endpoints/development-${name}/invocations`,
    `/v2/models/development-${name}/infer`,
  ]),
  ...["/v2/models/development-churn", "/v2/models/development-churn/ready", "/healthz", "/readyz", "/metrics", "/"],
  ...["/endpoints/development-none/invocations", "//endpoints/../x", "/%2e%2e", "*", "http://[::1]:x/", "/\u00ff"],
];
const MAY_FAIL = ["model-error"]; // a sum beyond float32 is the model's own answer, and no finite number

/** Invocations of a data plane with real replicas. */
export const invocations: FuzzTarget = {
  name: "invocations",
  share: 10,
  open: async () => {
    const on = await servingFixture();
    await on.serve("v1", sumModel({ bias: 1 }));
    await serveWide(on);
    const pids = (await on.replicaPids()).sort().join(" ");
    const port = Number(new URL(on.serving.url).port);
    const path = fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...PATHS.slice(0, 4)) },
      { weight: 2, arbitrary: fc.constantFrom(...PATHS) },
    );
    const type = fc.constantFrom(
      "application/json",
      "application/json",
      "text/csv",
      "text/plain",
      "",
      "application/octet-stream",
    );
    const token = fc.oneof({ weight: 20, arbitrary: fc.constant(TOKEN) }, fc.constantFrom("", "x", "ctm_none"));
    let fed = 0;
    return openTarget({
      inputs: fc.record({
        method: fc.oneof({ weight: 12, arbitrary: fc.constant("POST") }, otherMethods),
        ...{ path, type, token, body: bodyArbitrary(200_000), framing: framings },
        strange: fc.oneof({ weight: 4, arbitrary: fc.constant<[string, string][]>([]) }, strangeHeaders),
        pieces: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 8 })),
      }),
      bytesOf: ({ body }) => body.length,
      floorMs: 2000,
      processes: () => pids.split(" ").map(Number),
      async feed({ method, path, type, token, body, framing, strange, pieces }) {
        const headers: [string, string][] = [["authorization", `Bearer ${token}`], ["content-type", type], ...strange];
        const request = { method, path, headers, body, framing };
        const whole = isWhole(request);
        const { answer, silent } = await exchange(port, { bytes: requestBytes(request), pieces, end: !whole });
        holds(!silent, "no answer within 15 seconds");
        fed += 1;
        if (fed % 200 === 0) await stillServes(on, pids);
        const read = readAnswer(answer);
        holds(read !== undefined || !whole, "the connection was closed without an answer");
        return read === undefined
          ? "closed"
          : checkAnswer(read, { problems: INVOKE_PROBLEMS, secrets: [TOKEN], mayFail: MAY_FAIL });
      },
      close: async () => {
        try {
          await stillServes(on, pids);
        } finally {
          await on.dispose();
        }
      },
    });
  },
};

async function serveWide(on: ServingFixture): Promise<void> {
  const endpoint = { environment: "development", target: "local", name: "wide" } as const;
  await on.target.provision({ ...on.effect(), endpoint }, on.version("w1", wideModel()));
  await on.target.promote({ ...on.effect(), endpoint });
}

async function stillServes(on: ServingFixture, pids: string): Promise<void> {
  const response = await on.invoke('{"instances":[[1,2,3]]}');
  holds((await response.text()) === '{"predictions":[7]}', "the model answers otherwise than before");
  holds((await on.replicaPids()).sort().join(" ") === pids, "a replica ended");
}
