import fc from "fast-check";
import { PROBLEMS } from "../../../src/contract/problem.ts";
import { INVOKE_PROBLEMS } from "../../../src/serving/router/problem.ts";
import { servingFixture, TOKEN } from "../../../src/serving/testing/serving-fixture.ts";
import { sumModel } from "../../../src/serving/testing/test-models.ts";
import { httpFixture } from "../../../src/surfaces/http/testing/http-fixture.ts";
import { checkAnswer, readAnswer } from "../answers.ts";
import { exchange } from "../exchange.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { mutated } from "../mutations.ts";
import { checkShown, holds } from "../violation.ts";

const SECRET = "ctm_a-secret-that-nobody-shows";

function requests(token: string): string[] {
  const head = `host: a\r\nauthorization: Bearer ${token}\r\n`;
  const csv = "content-type: text/csv\r\n";
  return [
    `GET /v1/rollouts HTTP/1.1\r\n${head}\r\n`,
    `GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /readyz HTTP/1.1\r\nhost: a\r\n\r\n`,
    `POST /v1/plans:check HTTP/1.1\r\n${head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
    `POST /endpoints/development-churn/invocations HTTP/1.1\r\n${head}${csv}content-length: 6\r\n\r\n1,2,3\n`,
    `POST /endpoints/development-churn/invocations HTTP/1.1\r\n${head}${csv}transfer-encoding: chunked\r\n\r\n6\r\n1,2,3\n\r\n0\r\n\r\n`,
    `PUT /v1/artifacts/sha256:${"ab".repeat(32)} HTTP/1.1\r\n${head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
  ];
}

const WORDS = [
  ...[
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\r\n\r\n",
    "HTTP/1.1",
    "HTTP/0.9",
    "HTTP/2.0",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    " ",
    "\t",
  ],
  ...[
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: chunked, identity\r\n",
    "content-length: 5\r\n",
    "content-length: +5\r\n",
  ],
  ...[
    "ffffffffffffffff\r\n",
    "0\r\n\r\n",
    "-1\r\n",
    "5;a=b\r\n",
    "expect: 100-continue\r\n",
    "upgrade: h2c\r\nconnection: upgrade\r\n",
  ],
  ...[
    "connection: close\r\n",
    "connection: keep-alive\r\n",
    "x: ".padEnd(17_000, "y"),
    "\x16\x03\x01\x02\x00\x01\x00",
    ": a\r\n",
    "a b: c\r\n",
  ],
];

/** Bytes on both ports, whole or cut, in pieces, one request after another without waiting. */
export const sockets: FuzzTarget = {
  name: "sockets",
  share: 3,
  open: async () => {
    const on = await httpFixture();
    const serving = await servingFixture();
    await serving.serve("v1", sumModel({ bias: 1 }));
    const ports = { api: Number(new URL(on.url).port), serving: Number(new URL(serving.serving.url).port) };
    const texts = [...requests(SECRET), ...requests(on.adminToken), ...requests(TOKEN)];
    const problems = { api: PROBLEMS, serving: INVOKE_PROBLEMS };
    return openTarget({
      inputs: fc.record({
        port: fc.constantFrom<"api" | "serving">("api", "serving"),
        bytes: fc
          .tuple(
            mutated(texts, WORDS),
            fc.oneof({ weight: 2, arbitrary: fc.constant(Buffer.alloc(0)) }, mutated(texts, WORDS)),
          )
          .map((both): Uint8Array => Buffer.concat(both)),
        pieces: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 12 })),
      }),
      bytesOf: ({ bytes }) => bytes.length,
      floorMs: 2000,
      async feed({ port, bytes, pieces }) {
        const { answer, silent } = await exchange(ports[port], { bytes, pieces, end: true });
        holds(!silent, "a caller that has said all is kept waiting");
        const failure = on.logged.find(({ event }) => event === "http-request-failed");
        on.logged.length = 0;
        holds(failure === undefined, `a failure in the log: ${JSON.stringify(failure?.facts)}`);
        checkShown(answer, [SECRET, TOKEN, on.adminToken]);
        const read = readAnswer(answer);
        return read === undefined
          ? "closed"
          : checkAnswer(read, { problems: problems[port], secrets: [], mayFail: [] });
      },
      close: async () => {
        const health = await Promise.all([fetch(`${on.url}/healthz`), fetch(`${serving.serving.url}/healthz`)]);
        await Promise.all([on.close(), serving.dispose()]);
        holds(
          health.every(({ ok }) => ok),
          "a server no longer answers",
        );
      },
    });
  },
};
