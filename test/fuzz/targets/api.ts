import fc from "fast-check";
import type { Operation } from "../../../src/contract/operation.ts";
import { operations } from "../../../src/contract/operations.ts";
import { PROBLEMS } from "../../../src/contract/problem.ts";
import { planOf } from "../../../src/service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "../../../src/surfaces/http/testing/http-fixture.ts";
import { checkAnswer, readAnswer } from "../answers.ts";
import { edited } from "../edits.ts";
import { exchange } from "../exchange.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { framings, isWhole, otherMethods, requestBytes, strangeHeaders } from "../http-request.ts";
import { mutated } from "../mutations.ts";
import { holds } from "../violation.ts";
import { PLANS } from "./valid-plans.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
/** Somebody may ask so much that there is no room for it now. */
const MAY_FAIL = ["host-memory"];

/** What stands in a path or a query, right in one place and wrong in all others. */
const PARTS = [
  ...[
    "production",
    "staging",
    "local",
    "simulated",
    "churn",
    "tests",
    DIGEST,
    "r-1",
    "0",
    "-1",
    "1e9",
    "true",
    "Succeeded",
  ],
  ...["WyJyb2xsb3V0cy5saXN0IiwxMiwici0xIl0", "%00", "%ff", "%ED%A0%80", "..", "%2e%2e%2f", "__proto__", "a".repeat(64)],
  ...["a".repeat(600), "%", "%zz", "é", "'--", "\u0001", "9007199254740993", "2026-11-23T07:00:00Z", " ", "+", "*"],
];
const QUERY_KEYS = [
  "cursor",
  "limit",
  "environment",
  "name",
  "phase",
  "active",
  "subject",
  "after",
  "state",
  "message",
  "x",
];

/** The API on a real database, with the rights of an administrator, of nobody, and of a stranger. */
export const api: FuzzTarget = {
  name: "api",
  share: 4,
  open: async () => {
    const on = await httpFixture();
    const ids = await furnish(on);
    const port = Number(new URL(on.url).port);
    const part = fc.constantFrom(...PARTS, ...ids, ...ids);
    const call = fc.constantFrom(...(Object.values(operations) as Operation[])).chain((operation) =>
      fc.record({
        method: fc.oneof({ weight: 15, arbitrary: fc.constant<string>(operation.method) }, otherMethods),
        path: fc.array(part, { minLength: 4, maxLength: 4 }).map((parts) => filled(operation.path, parts)),
        body: bodyOf(operation),
      }),
    );
    const strangePath = mutated(["/v1/rollouts?limit=5", "/v1/endpoints/a/b/c", "/healthz", "/metrics"]).map(
      (bytes) => ({
        method: "GET",
        path: Buffer.from(bytes)
          .toString("latin1")
          .replaceAll(/[\r\n]/g, "_"),
        body: Buffer.alloc(0),
      }),
    );
    const pair = fc.tuple(fc.constantFrom(...QUERY_KEYS), part);
    const query = fc.oneof(
      { weight: 3, arbitrary: fc.constant<[string, string][]>([]) },
      fc.array(pair, { minLength: 1, maxLength: 3 }),
    );
    const token = fc.oneof({ weight: 12, arbitrary: fc.constant("admin") }, fc.constantFrom("none", "ctm_x", ""));
    return openTarget({
      inputs: fc.record({
        call: fc.oneof({ weight: 30, arbitrary: call }, { weight: 1, arbitrary: strangePath }),
        ...{ query, token, framing: framings },
        type: fc.oneof({ weight: 15, arbitrary: fc.constant("application/json") }, fc.constantFrom("", "text/plain")),
        strange: fc.oneof({ weight: 5, arbitrary: fc.constant<[string, string][]>([]) }, strangeHeaders),
        pieces: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 8 })),
      }),
      bytesOf: ({ call }) => call.body.length,
      floorMs: 3000,
      async feed({ call, query, token, framing, type, strange, pieces }) {
        const shown = token === "admin" ? on.adminToken : token;
        const headers: [string, string][] = [["authorization", `Bearer ${shown}`], ["content-type", type], ...strange];
        const path = query.length === 0 ? call.path : `${call.path}?${query.map((pair) => pair.join("=")).join("&")}`;
        const request = { method: call.method, path, headers, body: call.body, framing };
        const whole = isWhole(request);
        const { answer, silent } = await exchange(port, { bytes: requestBytes(request), pieces, end: !whole });
        holds(!silent, "no answer within 15 seconds");
        const failure = on.logged.find(({ event }) => event === "http-request-failed");
        on.logged.length = 0;
        holds(failure === undefined, `a failure in the log: ${JSON.stringify(failure?.facts)}`);
        const read = readAnswer(answer);
        holds(read !== undefined || !whole, "the connection was closed without an answer");
        if (read === undefined) return "closed";
        return checkAnswer(read, { problems: PROBLEMS, secrets: [on.adminToken], mayFail: MAY_FAIL });
      },
      close: () => on.close(),
    });
  },
};

/** Something in every list, so that requests find what they ask for; answers the ids. */
async function furnish(on: HttpFixture): Promise<string[]> {
  const admin = await on.admin();
  const artifact = await on.artifact("a model");
  const plans = [planOf({ artifact }), planOf({ name: "sim", target: "simulated", artifact })];
  const rollouts = await Promise.all(plans.map((plan) => on.call("plans.submit", admin, { body: { plan } })));
  const webhook = await on.call("webhooks.create", admin, { body: { url: "https://example.com/hook" } });
  const token = await on.call("tokens.create", admin, { body: { principal: "p", kind: "service", roles: ["viewer"] } });
  return [...rollouts.map(({ id }) => id), webhook.id, token.id, artifact.slice("store:".length)];
}

function filled(path: string, parts: readonly string[]): string {
  let at = 0;
  return path.replaceAll(/\{\w+\}/g, () => {
    at += 1;
    return Buffer.from(parts[at % parts.length] ?? "").toString("latin1");
  });
}

const DELIVERY_ID = "msg_1";
const BODIES: readonly unknown[] = [
  ...PLANS,
  ...PLANS.map((plan) => ({ plan, supersede: true })),
  ...[
    { comment: "why" },
    { planDigest: DIGEST, role: "approver" },
    { instanceCount: 2 },
    { bundle: { mediaType: "x" } },
  ],
  ...[{ purpose: "tests", publicKey: "-----BEGIN PUBLIC KEY-----\nMFk=\n-----END PUBLIC KEY-----\n" }],
  ...[{ principal: "bot", kind: "agent", owner: "admin", roles: ["proposer"], expiresInSeconds: 60 }],
  ...[{ url: "https://example.com/x", events: [], description: "d" }, { enabled: false }, { overlapSeconds: 0 }],
  ...[{ role: "approver" }, { verdict: "justified", comment: "looked at it" }, { code: "123456" }],
  ...[
    { publicKey: "-----BEGIN PUBLIC KEY-----", label: "laptop" },
    { principal: "fay", roles: ["viewer"] },
  ],
  ...[
    { purpose: "tests", issuer: "https://issuer.example", subject: "ci" },
    { trustedRoot: {} },
    { reason: "revoked" },
  ],
  {
    principal: "ci",
    claims: { repository: "a/b", ref: "refs/heads/main", job_workflow_ref: "a/b/x.yml@refs/heads/main" },
    roles: ["proposer"],
  },
  ...[{ files: [{ path: "acme.cedar", text: "" }], comment: "why" }, { program: true }, { digest: DIGEST }],
  ...[
    { alarm: "DataDriftAlarm" },
    { alarm: "DataDriftAlarm", comment: "seen" },
    { alarm: "DataDriftAlarm", reason: "a feast day, known", seconds: 3600 },
    { records: [{ inferenceId: "a", label: 1 }] },
  ],
  ...[{ message: DELIVERY_ID }, { since: "2026-11-23T07:00:00Z" }, {}],
];

function bodyOf({ method, body, path }: Operation): fc.Arbitrary<Uint8Array> {
  if (method === "GET" || body === undefined) return fc.constant(Buffer.alloc(0));
  if (body === "bytes") return mutated(["a model"]);
  const fitting = BODIES.filter((one) => body.safeParse(one).success);
  if (fitting.length === 0) throw new Error(`none of the bodies fits ${method} ${path}: add one that does`);
  const texts = fitting.map((one) => JSON.stringify(one));
  const pool = ["https://[::1]/", "http://169.254.169.254/", "https://example.com:8443/", ...PLANS, path];
  return fc.oneof(
    {
      weight: 4,
      arbitrary: edited(fitting, pool).map((value): Uint8Array => Buffer.from(JSON.stringify(value) ?? "")),
    },
    { weight: 2, arbitrary: mutated(texts) },
    { weight: 1, arbitrary: fc.constantFrom(...texts).map((text): Uint8Array => Buffer.from(text)) },
  );
}
