import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runForTest } from "./testing/run-for-test.ts";
import { json, type SmallServer, smallServer } from "./testing/small-server.ts";
import { rolloutEvent, rolloutView } from "./testing/views.ts";

const GREEN = "\u001b[32m";
const CLEAR_LINE = "\u001b[2K";
const METRICS = [
  { metric: "health", outcome: "pass", message: "1 of 1 replicas are healthy" },
  { metric: "error-rate", outcome: "fail", message: "12 % errors, 2 % allowed\u001b[2J" },
];

let server: SmallServer;
beforeEach(async () => {
  const watched = {
    ...rolloutEvent(1, "RollingBack", "watched"),
    details: { verdict: { outcome: "fail", metrics: METRICS } },
  };
  const refused = {
    ...rolloutEvent(2, "Succeeded", "verified"),
    details: { refusals: [{ clause: "CP-5", message: "no tests" }], by: "ada" },
  };
  server = await smallServer({
    "GET /v1/rollouts/r-1/events": (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end([watched, refused].map((event) => `data: ${JSON.stringify(event)}\n\n`).join(""));
    },
    "GET /v1/rollouts/r-1": (_request, response) =>
      json(response, 200, rolloutView({ phase: "Succeeded", sequence: 2 })),
  });
});
afterEach(() => server.close());

const watch = (options: { terminal: boolean; argv?: string[]; variables?: Record<string, string> }) =>
  runForTest(["rollout", "watch", "r-1", ...(options.argv ?? [])], {
    folder: tmpdir(),
    terminal: options.terminal,
    variables: { CONTINUUM_URL: server.url, ...options.variables },
  });

describe("rollout watch", () => {
  it("prints one plain line per event where nobody watches, verdicts and refusals in words", async () => {
    const { out } = await watch({ terminal: false });
    expect(out).not.toContain("\u001b");
    expect(out.split("\n").slice(0, 2)).toEqual([
      "10:00:01  RollingBack       10 %  watched: fail; 12 % errors, 2 % allowed\ufffd[2J",
      "10:00:01  Succeeded         10 %  verified: CP-5 no tests; by ada",
    ]);
  });

  it("colours and counts on a terminal, and leaves no half line behind", async () => {
    const { code, out } = await watch({ terminal: true });
    expect(code).toBe(0);
    expect(out).toContain(GREEN);
    expect(out).toContain(`${CLEAR_LINE}RollingBack for 0 s`);
    expect(out.lastIndexOf("for 0 s")).toBeLessThan(out.lastIndexOf(CLEAR_LINE));
    expect(out).not.toContain("\u001b[2J");
  });

  it.each([
    [["--no-color"], {}],
    [[], { NO_COLOR: "1" }],
  ])("has no colours with %j %j", async (argv, variables) => {
    expect((await watch({ terminal: true, argv, variables })).out).not.toContain(GREEN);
  });
});
