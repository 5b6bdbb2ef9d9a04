import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planOf } from "../../service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "./testing/http-fixture.ts";

let on: HttpFixture;
beforeAll(async () => {
  on = await httpFixture({
    limits: { jsonBytesMax: 16_384, rawBytesMax: 100_000, heldBytesMax: 120_000 },
    heartbeatMs: 50,
  });
});
afterAll(() => on.close());

const tokenOf = async (id: string, role: "viewer" | "proposer") => (await on.principal(id, "human", [role])).token;

const codeOf = async (answer: Response) => ((await answer.json()) as { code: string }).code;

describe("a body", () => {
  /** Gives a first piece and then holds the connection open. */
  const slow = (first: number) => {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const stream = new ReadableStream({
      async start(controller) {
        controller.enqueue(new Uint8Array(first));
        await end;
        controller.close();
      },
    });
    return { stream, end: resolve };
  };
  const put = (token: string, body: ReadableStream) =>
    fetch(`${on.url}/v1/artifacts/sha256:${"0".repeat(64)}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}` },
      body,
      duplex: "half",
    } as RequestInit);

  test("of somebody who may not send it is not read", async () => {
    const { stream, end } = slow(1000);
    // The answer comes although the body never ends.
    const answer = await put(await tokenOf("reader", "viewer"), stream);
    end();
    expect([answer.status, await codeOf(answer)]).toEqual([403, "forbidden"]);
    const { items } = await on.call("audit.list", await on.admin(), { query: { subject: "artifacts.put" } });
    expect(items.filter(({ action }) => action === "request.refuse")).toHaveLength(1);
  });

  test("finds no room while others hold all that bodies may take, and finds it afterwards", async () => {
    const token = await tokenOf("uploader", "proposer");
    const held = slow(90_000);
    const first = put(token, held.stream);
    await expect
      .poll(async () => {
        const second = slow(60_000);
        second.end();
        return codeOf(await put(token, second.stream));
      })
      .toBe("unavailable");
    held.end();
    expect((await first).status).toBe(409);
    const third = slow(60_000);
    third.end();
    expect((await put(token, third.stream)).status).toBe(409);
  });
});

describe("text that no database takes", () => {
  const cursor = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString("base64url");
  test.each([
    "/v1/rollouts/%00",
    "/v1/rollouts/a%00b/events",
    "/v1/rollouts?name=%00",
    "/v1/audit?subject=%00",
    "/v1/audit/proofs/%00",
    "/v1/endpoints/staging/local/%00",
    `/v1/tokens?cursor=${cursor("tokens.list", "\0")}`,
    `/v1/rollouts?cursor=${cursor("rollouts.list", 1e300, "x")}`,
    `/v1/rollouts?cursor=${cursor("rollouts.list", -8.64e15, "x")}`,
    `/v1/evidence?cursor=${cursor("evidence.list", 1e300, "x", "y")}`,
  ])("is the caller's mistake: %s", async (path) => {
    expect((await on.ask(path)).body).toMatchObject({ status: 400, code: "malformed-request" });
  });
});

describe("a stream of events", () => {
  const waiting = async (name: string) => {
    const plan = planOf({ artifact: `store:sha256:${"7".repeat(64)}`, target: "simulated", name });
    const { body } = await on.ask("/v1/rollouts", { method: "POST", body: { plan } });
    return `${on.url}/v1/rollouts/${String(body["id"])}/events`;
  };

  test("ends when the token that opened it is revoked", async () => {
    const reader = await on.principal("listener", "human", ["viewer"]);
    const url = await waiting("revoked");
    const response = await fetch(url, { headers: { authorization: `Bearer ${reader.token}` } });
    expect(response.status).toBe(200);
    const read = (async () => {
      let text = "";
      for await (const chunk of response.body ?? []) text += new TextDecoder().decode(chunk);
      return text;
    })();
    await sleep(200);
    expect((await on.ask(`/v1/tokens/${reader.tokenId}`, { method: "DELETE" })).status).toBe(200);
    expect(await read).toContain(": alive");
  });

  test("is one of so many that a principal may hold open, and gives its place back", async () => {
    const { token } = await on.principal("hoarder", "human", ["viewer"]);
    const url = await waiting("hoarded");
    const cancels: AbortController[] = [];
    // A response that nobody holds is collected, and its connection closed with it.
    const held: Response[] = [];
    const open = async () => {
      const cancel = new AbortController();
      cancels.push(cancel);
      const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal: cancel.signal });
      held.push(response);
      if (response.status !== 200) await response.text();
      return response.status;
    };
    const statuses = [];
    for (let index = 0; index < 65; index += 1) statuses.push(await open());
    expect(statuses.slice(0, 64).every((status) => status === 200)).toBe(true);
    expect(statuses[64]).toBe(429);
    for (const cancel of cancels) cancel.abort();
    await expect.poll(open).toBe(200);
    // Readers that are gone before the first byte gave theirs back as well.
    for (let index = 0; index < 130; index += 1) {
      const hasty = open().catch(() => 0);
      await sleep(index % 7);
      for (const cancel of cancels) cancel.abort();
      await hasty;
    }
    await expect.poll(open).toBe(200);
    for (const cancel of cancels) cancel.abort();
    await sleep(100);
  });
});
