import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signStatement } from "../../src/core/evidence/sign.ts";
import { generateSigningKey } from "../../src/core/evidence/signing-key.ts";
import { buildTestResult } from "../../src/core/evidence/test-result.ts";
import { type Receiver, startReceiver } from "../../src/drivers/notifications/webhook/testing/receiver.ts";
import { bareEnvironment, type Continuum, startContinuum } from "./testing/continuum.ts";
import { ended, importModel, invocable, planOf, trustedKey } from "./testing/deployables.ts";

// Personal data and secrets are planted wherever a user can put some, and then looked for in everything that real
// processes put out. What may hold one is on a list, with the reason.

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Each can be told from all others wherever it turns up. None is a mark that the scrubber would know by its name. */
const PLANTED = {
  label: "label.zq01@example.com",
  labelPhone: "+49 30 5550102",
  modelName: "Churn of Ada Zq03",
  modelVersion: "3 for zq04@example.com",
  alarm: "Alarm of Ada Zq05",
  baseline: "file:/home/ada-zq06/baseline.csv",
  comment: "Ada Zq07 asked for it, card 4111 1111 1111 1111",
  policyComment: "for Ada Zq08",
  policyText: "zq09@example.com",
  requestHeader: "zq10@example.com",
  userAgent: "Ada-Zq11/1.0 (zq11@example.com)",
  cookie: "zq12-cookie-value-0001",
  idempotencyKey: "zq13-of-ada",
  query: "zq14@example.com",
  badToken: `ctm_${"a".repeat(16)}_zq15${"b".repeat(39)}`,
  unknownKey: "zq16@example.com",
  customer: "zq17@example.com",
  freeText: "Ada Zq18 says hello",
  badBody: "zq19@example.com",
  contentType: "zq20@example.com",
  testCase: "test_of_zq21@example.com",
  testFailure: "expected zq22@example.com to be refused",
  webhookPassword: "zq23-password-of-webhook",
  webhookPath: "zq24-path-secret",
  webhookDescription: "for Ada Zq25",
  fileName: "zq26-ada.onnx",
  keyPassword: "zq27-key-password",
  wrongPassword: "zq28-wrong-password",
  path: "zq29@example.com",
  keyIdGuess: "zq30@example.com",
  inferenceId: "order of zq31@example.com",
} as const;
type Plant = keyof typeof PLANTED;

/** What holds one, and why it has to. A plant that is not found where this says is a mistake of the list. */
const HOLDS: readonly { output: string; plants: readonly Plant[]; because: string }[] = [
  {
    output: "the webhook's address",
    plants: ["webhookPath"],
    because: "it is what the message is sent to",
  },
  {
    output: "captured payloads",
    plants: ["modelVersion"],
    because: "a version's name is what a monitor tells models apart by; it is the proposer's word, not a caller's",
  },
  {
    output: "the rollout's own view",
    plants: ["label", "labelPhone", "modelVersion", "alarm"],
    because: "who may read a rollout sees the plan as it was proposed: it is what was decided and approved",
  },
  {
    output: "the rollout's own events",
    plants: ["comment"],
    because: "a person's reason is for whoever reads that rollout",
  },
  {
    output: "the webhooks' own view",
    plants: ["webhookDescription", "webhookPath"],
    because: "administrators alone see what they wrote there",
  },
];

const output = new Map<string, string>();
const keep = (name: string, text: string) => output.set(name, `${output.get(name) ?? ""}\n${text}`);

let on: Continuum;
let got: Receiver;
let token: string;
let webhookSecret: string;
const rollouts: string[] = [];

beforeAll(async () => {
  got = await startReceiver({ answer: (_, response) => void response.writeHead(204).end() });
  on = await startContinuum({
    environment: {
      CONTINUUM_WEBHOOKS_INTERNAL_HOSTS: "127.0.0.1",
      CONTINUUM_WEBHOOKS_PLAIN_HTTP_HOSTS: "127.0.0.1",
      CONTINUUM_SERVING_CAPTURE_PSEUDONYM_FIELDS: "customer",
      CONTINUUM_LOG_LEVEL: "debug",
    },
  });
  token = JSON.parse(readFileSync(join(on.dataDir, "cli.json"), "utf8")).token;
});
afterAll(async () => {
  await on?.clear();
  await got?.close();
});

/** A request as no client of ours would send it. */
function send(
  base: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string; bearer?: string } = {},
): Promise<{ status: number; text: string }> {
  const { method = options.body === undefined ? "GET" : "POST", body, bearer = token } = options;
  const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json", ...options.headers };
  return new Promise((resolve, reject) => {
    const sent = request(base + path, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function cli(args: string[], own: Record<string, string> = {}): void {
  const env = bareEnvironment({ HOME: on.folder, CONTINUUM_DATA_DIR: on.dataDir, ...own });
  const { stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: on.folder, encoding: "utf8", env });
  keep("the command line's output", stdout + stderr);
}

const ODD_HEADERS = {
  "x-request-id": PLANTED.requestHeader,
  "user-agent": PLANTED.userAgent,
  cookie: `__Host-continuum-session=${PLANTED.cookie}`,
  referer: `https://example.com/?mail=${PLANTED.requestHeader}`,
  "x-amzn-sagemaker-inference-id": PLANTED.inferenceId,
};

async function plantInPlans(): Promise<void> {
  const artifact = await importModel(on.admin, { bias: 1 }, await trustedKey(on.admin));
  const base = planOf("planted", { version: PLANTED.modelVersion, artifact });
  const plan = {
    ...base,
    metadata: { ...base.metadata, labels: { owner: PLANTED.label, phone: PLANTED.labelPhone } },
    spec: {
      ...base.spec,
      model: { ...base.spec.model, name: PLANTED.modelName },
      rollback: { alarms: ["ModelMonitorAlarm", "DataDriftAlarm", PLANTED.alarm] },
      monitor: { baseline: PLANTED.baseline },
    },
  };
  const refused = await send(on.url, "/v1/rollouts", { body: JSON.stringify({ plan }), headers: ODD_HEADERS });
  keep("errors", refused.status < 400 ? "" : refused.text);
  // What a plan's schema does not take is refused; the rest of it is deployed.
  const taken = await on.admin.call("plans.submit", {
    body: {
      plan: { ...base, metadata: plan.metadata, spec: { ...base.spec, rollback: plan.spec.rollback } },
      supersede: true,
    },
  });
  expect(await ended(on.admin, taken.id)).toMatchObject({ phase: "Succeeded" });
  const held = await on.admin.call("plans.submit", {
    body: {
      plan: planOf(
        "held",
        { version: "1", artifact },
        { target: "simulated", rollout: { bakeSeconds: 60, deadlineSeconds: 600 } },
      ),
    },
  });
  rollouts.push(taken.id, held.id);
  await on.admin.call("rollouts.abort", { params: { id: held.id }, body: { comment: PLANTED.comment } });
  await ended(on.admin, held.id);
}

async function plantInTraffic(): Promise<void> {
  const url = await invocable(on, "planted");
  const { pathname } = new URL(url);
  const invoke = (body: string, headers: Record<string, string> = {}, path = pathname) =>
    send(on.servingUrl, path, { body, headers: { ...ODD_HEADERS, ...headers }, bearer: on.invokeToken });
  const row = { features: [1, 2, 3], customer: PLANTED.customer, note: PLANTED.freeText };
  const taken = await invoke(
    JSON.stringify({ instances: [row], note: PLANTED.freeText }),
    {},
    `${pathname}?mail=${PLANTED.query}`,
  );
  expect(taken.status).toBe(200);
  for (const { body, headers, path } of [
    { body: `{"instances":["${PLANTED.badBody}"]}` },
    { body: `{${PLANTED.badBody}` },
    { body: "1,2,3\n", headers: { "content-type": `text/csv; note=${PLANTED.contentType}` } },
    { body: "[]", headers: { "content-type": `application/${PLANTED.contentType}` } },
    { body: "[]", path: `/endpoints/${PLANTED.path}/invocations` },
  ])
    keep("errors", (await invoke(body, headers, path)).text);
  keep("errors", (await send(on.servingUrl, pathname, { body: "[]", bearer: PLANTED.badToken })).text);
}

async function plantInRequests(): Promise<void> {
  const attempts = [
    { path: `/v1/rollouts?mail=${PLANTED.query}` },
    { path: `/v1/rollouts/${PLANTED.path}` },
    { path: `/${PLANTED.path}` },
    { path: "/v1/rollouts", bearer: PLANTED.badToken },
    { path: "/v1/rollouts", headers: { "idempotency-key": PLANTED.idempotencyKey }, body: "{" },
    { path: "/v1/plans:check", body: JSON.stringify({ [PLANTED.unknownKey]: 1 }) },
    { path: "/v1/tokens", body: JSON.stringify({ principal: PLANTED.unknownKey, kind: "human", roles: ["viewer"] }) },
    { path: "/v1/people", body: JSON.stringify({ principal: PLANTED.unknownKey, roles: ["viewer"] }) },
    { path: `/v1/keys/${PLANTED.keyIdGuess}`, method: "DELETE" },
    {
      path: "/v1/policy/versions",
      body: JSON.stringify({
        files: [{ path: "x.cedar", text: `// ${PLANTED.policyText}\npermit(` }],
        comment: PLANTED.policyComment,
      }),
    },
    { path: "/v1/policy/versions", body: JSON.stringify({ program: true, comment: PLANTED.policyComment }) },
  ];
  for (const { path, ...options } of attempts) {
    const { headers, ...rest } = { headers: {}, ...options };
    const answer = await send(on.url, path, { ...rest, headers: { ...ODD_HEADERS, ...headers } });
    if (answer.status >= 400) keep("errors", answer.text);
  }
}

async function plantInEvidence(): Promise<void> {
  const artifact = await importModel(on.admin, { bias: 2 });
  const report = `<testsuite tests="2"><testcase name="${PLANTED.testCase}"/><testcase name="two"><failure message="${PLANTED.testFailure}"/></testcase></testsuite>`;
  const result = buildTestResult({
    junit: Buffer.from(report),
    subjects: [{ name: PLANTED.fileName, digest: artifact }],
  });
  if (!result.ok) throw new Error(result.problem.message);
  const key = generateSigningKey(randomBytes);
  await on.admin.call("keys.import", { body: { purpose: "tests", publicKey: key.publicKey.spkiPem } });
  const bundle = JSON.parse(signStatement(result.value.statement, key));
  const added = await send(on.url, "/v1/evidence", { body: JSON.stringify({ bundle }) });
  if (added.status >= 400) keep("errors", added.text);
  keep("evidence", (await send(on.url, "/v1/evidence")).text);
}

async function plantInWebhooks(): Promise<void> {
  const withPassword = `http://ada:${PLANTED.webhookPassword}@127.0.0.1:${got.port}/hook`;
  const refused = await send(on.url, "/v1/webhooks", { body: JSON.stringify({ url: withPassword }) });
  expect(refused.status).toBe(400);
  keep("errors", refused.text);
  const body = { url: `${got.url}?key=${PLANTED.webhookPath}`, description: PLANTED.webhookDescription };
  webhookSecret = (await on.admin.call("webhooks.create", { body })).secret;
}

function plantInCommands(): void {
  const model = join(on.folder, PLANTED.fileName);
  writeFileSync(model, "model");
  const password = (value: string) => ({ COSIGN_PASSWORD: value });
  const [key, bundle] = [join(on.folder, "signing.key"), join(on.folder, "bundle.json")];
  cli(["keys", "generate", "--out", key], password(PLANTED.keyPassword));
  cli(["sign", model, "--key", key, "-o", bundle], password(PLANTED.wrongPassword));
  cli(["sign", "signing.key", "--key", key, "-o", bundle], password(PLANTED.keyPassword));
  cli(["rollout", "list"], { CONTINUUM_TOKEN: PLANTED.badToken });
}

async function collect(): Promise<void> {
  keep("command lines of all processes", execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }));
  // The rest is what `start` says to whoever started it, the first token among it.
  const lines = on.log().split("\n");
  keep("logs of all processes", lines.filter((line) => line.startsWith("{")).join("\n"));
  keep("the database's log", readFileSync(join(on.dataDir, "postgres", "postgres.log"), "utf8"));
  for (const { url } of on.started.processes)
    if (url?.startsWith("http") === true) keep("metrics", (await send(new URL(url).origin, "/metrics")).text);
  keep("metrics", (await send(on.url, "/metrics")).text);
  keep("audit log", (await send(on.url, "/v1/audit/export")).text);
  keep("audit log", (await send(on.url, "/v1/audit?limit=200")).text);
  keep("webhook deliveries", got.seen.map(({ headers, body }) => JSON.stringify([headers, body])).join("\n"));
  keep("the webhook's address", got.seen.map(({ path }) => path).join("\n"));
  keep("the webhooks' own view", (await send(on.url, "/v1/webhooks")).text);
  for (const id of rollouts) {
    keep("the rollout's own view", (await send(on.url, `/v1/rollouts/${id}`)).text);
    keep("the rollout's own events", (await send(on.url, `/v1/rollouts/${id}/events`)).text);
  }
  cli(["backup", "create", "--out", join(on.folder, "backup.tar")]);
  const manifest = ["-xOf", join(on.folder, "backup.tar"), "manifest.json"];
  keep("the backup's manifest", execFileSync("tar", manifest, { encoding: "utf8" }));
  keep("names in the data folder", execFileSync("find", [on.dataDir], { encoding: "utf8" }));
  const captured = join(on.dataDir, "capture", "default", "development-planted");
  for (const name of readdirSync(captured)) keep("captured payloads", readFileSync(join(captured, name), "utf8"));
  const checkpoints = join(on.dataDir, "checkpoints");
  if (existsSync(checkpoints))
    for (const name of readdirSync(checkpoints, { recursive: true, encoding: "utf8" }).filter((each) =>
      each.endsWith(".note"),
    ))
      keep("checkpoints", readFileSync(join(checkpoints, name), "utf8"));
}

test("what is planted everywhere turns up nowhere but where it belongs", async () => {
  await plantInWebhooks();
  await plantInPlans();
  await plantInTraffic();
  await plantInRequests();
  await plantInEvidence();
  plantInCommands();
  // The last message is on its way, and capture is written every so often.
  await expect.poll(() => got.seen.length, { timeout: 20_000 }).toBeGreaterThan(4);
  await expect
    .poll(() => existsSync(join(on.dataDir, "capture", "default", "development-planted")), { timeout: 10_000 })
    .toBe(true);
  await collect();

  const found = [...output].flatMap(([name, text]) =>
    Object.entries(PLANTED)
      .filter(([, value]) => text.includes(value) || text.includes(encodeURIComponent(value)))
      .map(([plant, value]) => ({ output: name, plant, near: lineWith(name, value) })),
  );
  const holds = HOLDS.flatMap(({ output: name, plants }) => plants.map((plant) => ({ output: name, plant })));
  const isHeld = (one: { output: string; plant: string }) =>
    holds.some(({ output: name, plant }) => name === one.output && plant === one.plant);
  expect(found.filter((one) => !isHeld(one))).toEqual([]);
  expect(found.map(({ output: name, plant }) => ({ output: name, plant }))).toEqual(expect.arrayContaining(holds));
  // A net that catches nothing proves nothing: every output was really there, with what belongs in it.
  for (const name of [
    "logs of all processes",
    "metrics",
    "audit log",
    "captured payloads",
    "errors",
    "evidence",
    "the backup's manifest",
    "webhook deliveries",
  ])
    expect(output.get(name)?.length ?? 0, name).toBeGreaterThan(100);
  expect(output.get("captured payloads")).toMatch(/\\"customer\\":\\"p_[\w-]{22}\\"/);
  expect(output.get("captured payloads")).toMatch(/"inferenceId":"i_[\w-]{22}"/);
  const everything = [...output.values()].join("\n");
  for (const secret of secretsOf())
    expect(everything.includes(secret), "a secret of the installation's own").toBe(false);
});

/** Of the installation itself, in each form in which one could be written. */
function secretsOf(): string[] {
  const keys = readdirSync(join(on.dataDir, "keys")).map((name) => readFileSync(join(on.dataDir, "keys", name)));
  expect(keys.length).toBeGreaterThan(3);
  const forms = keys.flatMap((key) => [key.toString("hex"), key.toString("base64"), key.toString("base64url")]);
  return [...forms, token, on.invokeToken, webhookSecret, webhookSecret.replace("whsec_", "")];
}

function lineWith(name: string, value: string): string {
  const text = output.get(name) ?? "";
  const at = text.indexOf(value);
  return text.slice(Math.max(0, at - 200), at + 200);
}
