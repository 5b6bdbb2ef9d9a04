import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ServingFixture, servingFixture, TOKEN } from "../testing/serving-fixture.ts";
import { sumModel } from "../testing/test-models.ts";

let fixture: ServingFixture;
beforeAll(async () => {
  fixture = await servingFixture();
  await fixture.serve("v1", sumModel({ bias: 0 }));
});
afterAll(() => fixture.dispose());

function request(row: string, { version = "1.1", headers = [] as string[] } = {}): string {
  const body = `{"instances":[[${row}]]}`;
  const lines = [
    `POST /endpoints/development-churn/invocations HTTP/${version}`,
    ...["host: a", `authorization: Bearer ${TOKEN}`, "content-type: application/json"],
    ...[`content-length: ${body.length}`, ...headers],
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** What the server says on one connection until it ends it, or until as many answers came as are wanted. */
function said(pieces: readonly string[], answers: number): Promise<{ text: string; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const { port, hostname } = new URL(fixture.serving.url);
    let text = "";
    const socket = connect(Number(port), hostname, () => {
      for (const [at, piece] of pieces.entries()) setTimeout(() => socket.write(piece), at * 20);
    });
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.split('"predictions"').length - 1 < answers) return;
      // A server that means to close does so in the same moment.
      setTimeout(() => {
        resolve({ text, ended: socket.readableEnded });
        socket.destroy();
      }, 50);
    });
  });
}

it("answers pipelined requests in their order and keeps the connection", async () => {
  const { text, ended } = await said([request("1,0,0") + request("2,0,0") + request("3,0,0")], 3);
  expect([...text.matchAll(/"predictions":(\[[^\]]*\])/g)].map((match) => match[1])).toEqual(["[1]", "[2]", "[3]"]);
  expect(ended).toBe(false);
});

it("takes a body in pieces, on a connection that goes on afterwards", async () => {
  const whole = request("4,0,0");
  const { text } = await said([whole.slice(0, -12), whole.slice(-12, -5), whole.slice(-5), request("5,0,0")], 2);
  expect(text).toMatch(/"predictions":\[4\][\s\S]*"predictions":\[5\]/);
});

it("says length, time and how long the connection stays, once each", async () => {
  const { text } = await said([request("1,0,0")], 1);
  const [head = "", body] = text.split("\r\n\r\n");
  const names = head
    .split("\r\n")
    .slice(1)
    .map((line) => line.split(":")[0]?.toLowerCase());
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining(["date", "content-length", "connection", "x-request-id"]));
  expect(head).toContain(`content-length: ${body?.length}`);
});

it.each([
  ["asks for it", request("1,0,0", { headers: ["connection: close"] })],
  ["speaks HTTP/1.0", request("1,0,0", { version: "1.0" })],
])("ends the connection of a caller who %s", async (_who, text) => {
  const answer = await said([text], 1);
  expect(answer.ended).toBe(true);
  expect(answer.text).toContain("x-continuum-variant: v1\r\n");
});

it("lets go of a request whose caller leaves within its body", async () => {
  const { port, hostname } = new URL(fixture.serving.url);
  const socket = connect(Number(port), hostname, () => socket.write(request("1,0,0").slice(0, -4)));
  const inFlight = async () =>
    /continuum_serving_in_flight (\d+)/.exec(await (await fetch(`${fixture.serving.url}/metrics`)).text())?.[1];
  await expect.poll(inFlight).toBe("1");
  socket.destroy();
  await expect.poll(inFlight).toBe("0");
});

it("goes on reading a connection whose request it refused with a body", async () => {
  const refused = request("1,0,0").replace(TOKEN, "wrong");
  const { text } = await said([refused + request("6,0,0")], 1);
  expect(text).toMatch(/^HTTP\/1\.1 401 [\s\S]*"predictions":\[6\]/);
});
