import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { planOf } from "../../service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "./testing/http-fixture.ts";

let on: HttpFixture;
beforeAll(async () => {
  on = await httpFixture();
});
afterAll(() => on.close());

test.each([
  ["no HTTP at all", "hello\r\n\r\n", /not HTTP/],
  ["headers without an end", `GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, /16 KiB/],
  ["no host", "GET /v1/principal HTTP/1.1\r\n\r\n", /host/],
  ["a host that is none", "GET /v1/principal HTTP/1.1\r\nhost: a b\r\n\r\n", /host/],
  ["a target that is no address", "GET http://[ HTTP/1.1\r\nhost: a\r\n\r\n", /target/],
  ["an expectation", "GET /v1/principal HTTP/1.1\r\nhost: a\r\nexpect: wonders\r\n\r\n", /100-continue/],
])("%s is refused by a problem", async (_, text, detail) => {
  const answer = await sent(text);
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 400 /);
  expect(head).toMatch(/content-type: application\/problem\+json/);
  expect(JSON.parse(body)).toMatchObject({
    code: "malformed-request",
    status: 400,
    detail: expect.stringMatching(detail),
  });
});

test("a reader that leaves a stream, or a body that is cut off, is no failure of ours", async () => {
  const artifact = await on.artifact("a model");
  const { id } = await on.call("plans.submit", await on.admin(), { body: { plan: planOf({ artifact }) } });
  const headers = { authorization: `Bearer ${on.adminToken}` };
  const leaving = new AbortController();
  const response = await fetch(`${on.url}/v1/rollouts/${id}/events`, { headers, signal: leaving.signal });
  await response.body?.getReader().read();
  leaving.abort();
  const port = Number(new URL(on.url).port);
  const cut = connect(port, "127.0.0.1");
  const lines = [
    `PUT /v1/artifacts/sha256:${"ab".repeat(32)} HTTP/1.1`,
    "host: a",
    `authorization: ${headers.authorization}`,
  ];
  cut.end(`${lines.join("\r\n")}\r\ncontent-length: 10\r\n\r\nabc`);
  await expect.poll(() => on.logged.filter(({ facts }) => facts["operation"] === "artifacts.put").length).toBe(1);
  expect(on.logged.filter(({ event }) => event === "http-request-failed")).toEqual([]);
});

function sent(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(on.url).port), "127.0.0.1", () => socket.end(text));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", reject).on("end", () => resolve(answer));
  });
}
