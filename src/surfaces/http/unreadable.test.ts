import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HttpFixture, httpFixture } from "./testing/http-fixture.ts";

let on: HttpFixture;
beforeAll(async () => {
  on = await httpFixture();
});
afterAll(() => on.close());

test.each([
  ["no HTTP at all", "hello\r\n\r\n", /not HTTP/],
  ["headers without an end", `GET / HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, /16 KiB/],
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

function sent(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(on.url).port), "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", reject).on("end", () => resolve(answer));
  });
}
