import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { startEmbedded } from "../../src/store/embedded/embedded.ts";
import { type ApiClient, createApiClient } from "../../src/surfaces/cli/client.ts";
import type { RolloutDetail } from "../../src/surfaces/cli/follow-rollout.ts";
import { bareEnvironment } from "../e2e/testing/continuum.ts";
import { deploy, importModel, planOf, submit, trustedKey, until } from "../e2e/testing/deployables.ts";
import { hasCommit, type Patch, packCommit, packPresent } from "./testing/builds.ts";
import { type Program, startProgram } from "./testing/program.ts";

// An upgrade with real tarballs: the version before brings rollouts into every phase and stops; the present one, with a
// reducer that has steps which the other does not know, takes over the same folder. Nobody migrates a history.

/** The commit whose schema, states and events are what running installations have. */
const BEFORE = process.env["UPGRADE_FROM"] ?? "6719b83";
/** `UPGRADE_FIXTURE=FILE` keeps what that version stored, for the unit tests of reading it. */
const FIXTURE = process.env["UPGRADE_FIXTURE"];
const STORED = `SELECT r.name, r.state,
    (SELECT json_agg(json_build_object('at', e.at, 'type', e.type, 'payload', e.payload) ORDER BY e.sequence)
     FROM rollout_events e WHERE e.rollout = r.id) AS events,
    (SELECT json_agg(j.command) FROM jobs j WHERE j.rollout = r.id) AS jobs
  FROM rollouts r ORDER BY r.name, r.created_at`;
const skipped = !hasCommit(BEFORE);
const why = skipped ? ` (skipped: this is no clone that has the commit ${BEFORE})` : "";

/** Two more steps, in states and histories that began without them: a second gate, and a second look after the bake. */
const MORE_STEPS: readonly Patch[] = [
  {
    file: "src/core/rollout/answers.ts",
    find: `      return inTime(rollout, (next) => proceed(next, "Provisioning"));`,
    put: `      if (!("gatedTwice" in rollout)) return enterGate({ ...rollout, gatedTwice: true } as typeof rollout);
      return inTime(rollout, (next) => proceed(next, "Provisioning"));`,
  },
  {
    file: "src/core/rollout/answers.ts",
    find: "    return next.seenAtMs < endMs ? watchBake(next, endMs) : leaveBake(next);",
    put: `    if (next.seenAtMs >= endMs && !("lookedTwice" in next))
      return watchBake({ ...next, lookedTwice: true } as typeof next, next.seenAtMs + 300);
    return next.seenAtMs < endMs ? watchBake(next, endMs) : leaveBake(next);`,
  },
];

/** Where a rollout of that name stops: the job of the command is held back in the database until the upgrade is done. */
const HELD = {
  verifying: { command: "verify", phase: "Verifying" },
  snapshotting: { command: "snapshot", phase: "Snapshotting" },
  gating: { command: "gate", phase: "Snapshotting" },
  provisioning: { command: "provision", phase: "Provisioning" },
  shifting: { command: "shift", phase: "Shifting" },
  promoting: { command: "promote", phase: "Promoting" },
  baking: { command: "watch", phase: "Baking" },
  pausing: { command: "watch", phase: "Paused" },
  "rolling-back": { command: "rollback", phase: "RollingBack" },
} as const;

const ROLLOUT = { stepPercent: 50, bakeSeconds: 1, deadlineSeconds: 600 };
/** Of those that somebody ends: on a slow machine the bake must not be over first. */
const LONG_BAKE = { ...ROLLOUT, bakeSeconds: 300 };

let folder: string;
let old: string;
let present: string;
let program: Program | undefined;
let outside: string[] = [];
const ids = new Map<string, string>();

const tokenOf = () => JSON.parse(readFileSync(join(folder, "data", "cli.json"), "utf8")).token as string;
const clientOf = ({ started }: Program, token = tokenOf()): ApiClient => createApiClient({ url: started.url, token });
const idOf = (name: string) => ids.get(name) ?? "";

beforeAll(async () => {
  if (skipped) return;
  folder = mkdtempSync(join(tmpdir(), "continuum-upgrade-"));
  chmodSync(folder, 0o711); // PostgreSQL may run as another user and has to walk through
  for (const name of ["old", "new"]) mkdirSync(join(folder, name));
  old = packCommit(BEFORE, join(folder, "old"));
  present = packPresent(MORE_STEPS, join(folder, "new"));
});
afterAll(async () => {
  if (skipped) return;
  await program?.stop();
  for (const path of [...outside, folder]) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
});

/** Runs SQL on the embedded database of the folder, whichever program it serves. */
async function inDatabase(...statements: string[]): Promise<Record<string, unknown>[]> {
  const server = await startEmbedded({ dataDir: join(folder, "data") });
  const database = await openDatabase(server.url, { max: 1 });
  let last: Record<string, unknown>[] = [];
  try {
    for (const statement of statements) last = (await database.query(statement)).rows;
    return last;
  } finally {
    await database.close();
    await server.stop();
  }
}

function holdJobs(): Promise<unknown> {
  const held = Object.entries(HELD).map(([name, { command }]) => `('${name}', '${command}')`);
  return inDatabase(
    `CREATE FUNCTION hold_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF EXISTS (SELECT FROM rollouts r JOIN (VALUES ${held.join(", ")}) AS held (name, command) ON held.name = r.name
                  WHERE r.tenant = NEW.tenant AND r.id = NEW.rollout AND held.command = NEW.command ->> 'type') THEN
         NEW.worker := NULL; NEW.claimed_at := NULL; NEW.attempts := 0; NEW.run_at := now() + interval '1 day';
       END IF;
       RETURN NEW;
     END $$`,
    "CREATE TRIGGER hold_job BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION hold_job()",
  );
}

function releaseJobs(): Promise<unknown> {
  return inDatabase("DROP TRIGGER hold_job ON jobs", "DROP FUNCTION hold_job", "UPDATE jobs SET run_at = now()");
}

/** Where everything stands once all have ended, or at last; whoever bakes without traffic is promoted by a person. */
async function endsOfAll(admin: ApiClient): Promise<Record<string, string>> {
  for (const endMs = Date.now() + 60_000; ; await sleep(200)) {
    const found = new Map<string, RolloutDetail>();
    for (const [name, id] of ids) found.set(name, await admin.call("rollouts.get", { params: { id } }));
    if (found.get("local")?.phase === "Baking")
      await admin.call("rollouts.promote", { params: { id: idOf("local") }, body: {} }).catch(() => undefined);
    if ([...found.values()].every(({ terminal }) => terminal) || Date.now() > endMs)
      return Object.fromEntries([...found].map(([name, { phase }]) => [name, phase]));
  }
}

describe.skipIf(skipped)(`an upgrade from ${BEFORE}${why}`, () => {
  test("begins with rollouts in every phase, from the version before", async () => {
    program = await startProgram(old, folder);
    outside = program.started.outside;
    await holdJobs();
    const admin = clientOf(program);
    const agentToken = (
      await admin.call("tokens.create", {
        body: { principal: "agent", kind: "agent", owner: "admin", roles: ["proposer"] },
      })
    ).secret;
    const agent = clientOf(program, agentToken);
    const key = await trustedKey(admin);
    const [v1 = "", v2 = ""] = await Promise.all([1, 2].map((bias) => importModel(admin, { bias }, key)));
    const simulated = (name: string, rollout: Partial<typeof ROLLOUT> = ROLLOUT) =>
      planOf(name, { version: "1.0.0", artifact: v1 }, { target: "simulated", rollout });
    const begin = async (name: string, plan: Parameters<typeof submit>[1], by = agent) =>
      void ids.set(name, (await submit(by, plan)).id);

    const staging = { environment: "staging" as const, compute: { instanceType: "ml.m5.large", instanceCount: 3 } };
    await begin("waiting", planOf("waiting", { version: "1.0.0", artifact: v1 }, staging));
    await deploy(agent, planOf("local", { version: "1.0.0", artifact: v1 }));
    await begin("local", planOf("local", { version: "2.0.0", artifact: v2 }, { rollout: LONG_BAKE }));
    for (const name of Object.keys(HELD))
      await begin(name, simulated(name, name === "rolling-back" ? LONG_BAKE : ROLLOUT));
    const next = simulated("baking");
    await begin("queued", { ...next, spec: { ...next.spec, model: { ...next.spec.model, version: "2.0.0" } } });
    await until(admin, idOf("pausing"), ({ phase }) => phase === "Baking");
    await admin.call("rollouts.pause", { params: { id: idOf("pausing") }, body: {} });
    // The one that is held before its rollback has effects first.
    await until(admin, idOf("rolling-back"), ({ phase }) => phase === "Baking" || phase === "Shifting");
    await admin.call("rollouts.rollback", { params: { id: idOf("rolling-back") }, body: {} });

    for (const [name, { phase }] of Object.entries(HELD)) await until(admin, idOf(name), (now) => now.phase === phase);
    await until(admin, idOf("local"), ({ phase }) => phase === "Baking");
    for (const [name, phase] of [
      ["waiting", "AwaitingApproval"],
      ["queued", "Queued"],
    ] as const)
      expect(await admin.call("rollouts.get", { params: { id: idOf(name) } })).toMatchObject({ phase });
    expect(await program.stop()).toBe(0);
    program = undefined;
    if (FIXTURE !== undefined) writeFileSync(FIXTURE, `${JSON.stringify(await inDatabase(STORED), null, 1)}\n`);
  });

  test("ends with each of them at its right end, by way of steps that the version before did not have", async () => {
    program = await startProgram(present, folder);
    await releaseJobs();
    const admin = clientOf(program);
    const person = (
      await admin.call("tokens.create", { body: { principal: "bob", kind: "human", roles: ["approver"] } })
    ).secret;
    const waiting = await admin.call("rollouts.get", { params: { id: idOf("waiting") } });
    expect(waiting.phase).toBe("AwaitingApproval");
    await clientOf(program, person).call("approvals.approve", {
      params: { id: idOf("waiting") },
      body: { planDigest: waiting.planDigest },
    });
    await admin.call("rollouts.resume", { params: { id: idOf("pausing") }, body: {} });

    const expected = Object.fromEntries([...ids.keys()].map((name) => [name, "Succeeded"]));
    expect(await endsOfAll(admin)).toEqual({ ...expected, waiting: "Denied", "rolling-back": "RolledBack" });
    // The approval counts, and the gates go on; what else staging needs, no test can give.
    const approved = await admin.call("rollouts.get", { params: { id: idOf("waiting") } });
    expect(approved.approvals).toMatchObject([{ approver: "bob" }]);
    expect(approved.refusals.map(({ clause }) => clause)).not.toContain("AO-3");
    expect(approved.refusals.length).toBeGreaterThan(0);

    for (const [name, id] of ids) {
      const types: string[] = [];
      const sequences: number[] = [];
      for await (const event of admin.events(id, { after: 0 })) {
        types.push(event.type);
        sequences.push(event.sequence);
      }
      expect(sequences, name).toEqual(sequences.map((_, index) => index + 1));
      const count = (type: string) => types.filter((found) => found === type).length;
      // The steps that are new were taken by whoever had not passed them.
      if (name === "waiting") expect(types).toContain("approved");
      else if (["queued", "verifying", "snapshotting", "gating"].includes(name))
        expect(count("gate-passed"), name).toBe(2);
      else expect(count("gate-passed"), name).toBe(1);
    }
    expect(await admin.call("audit.verify", {})).toMatchObject({ ok: true });
    expect(await program.stop()).toBe(0);
    program = undefined;
  });

  test("cannot be gone back on: the version before refuses the database with one line, and leaves it alone", async () => {
    const environment = bareEnvironment({ HOME: folder, CONTINUUM_DATA_DIR: join(folder, "data") });
    const refused = spawnSync(process.execPath, [old, "start"], { cwd: folder, encoding: "utf8", env: environment });
    const said = refused.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
    expect(said).toEqual([
      expect.stringMatching(/^continuum: The database is at schema version \d+ .*\(database-newer\)$/),
    ]);
    expect(refused.status).toBe(1);
    program = await startProgram(present, folder);
    expect(await clientOf(program).call("rollouts.get", { params: { id: idOf("waiting") } })).toMatchObject({
      phase: "Denied",
    });
  });
});
