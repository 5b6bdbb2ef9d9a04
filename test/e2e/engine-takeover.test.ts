import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { verifyAudit } from "../../src/engine/audit-verify.ts";
import { type EngineFixture, engineFixture, TENANT } from "../../src/engine/testing/engine-fixture.ts";
import { openDatabase } from "../../src/store/database.ts";
import { startEmbedded } from "../../src/store/embedded/embedded.ts";
import { migrate } from "../../src/store/migrate.ts";

/** Workers as real processes that are killed and frozen by the system. */
let processes: WorkerProcess[] = [];
const closers: (() => Promise<void>)[] = [];

beforeEach(() => {
  processes = [];
});
afterEach(async () => {
  await Promise.all(processes.map((one) => one.end("SIGKILL")));
  for (const close of closers.splice(0).reverse()) await close();
});

interface WorkerProcess {
  id: string;
  child: ChildProcess;
  end(signal: NodeJS.Signals): Promise<void>;
}

async function onFreshDatabase(): Promise<EngineFixture> {
  const on = await engineFixture();
  closers.push(() => on.close());
  return on;
}

async function startWorker(url: string, effectMs = 0): Promise<WorkerProcess> {
  const child = fork(new URL("./engine-worker-process.ts", import.meta.url), [url, String(effectMs)], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    execArgv: [],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const id = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once("exit", (code) => reject(new Error(`the worker ended with ${code} before it was ready`)));
  });
  const started: WorkerProcess = {
    id,
    child,
    end: async (signal) => {
      child.kill(signal);
      await ended;
    },
  };
  processes.push(started);
  return started;
}

async function holder(on: EngineFixture, rollout: string): Promise<string | null | undefined> {
  const { rows } = await on.database.query<{ worker: string | null }>("SELECT worker FROM jobs WHERE rollout = $1", [
    rollout,
  ]);
  return rows[0]?.worker;
}

async function expectWhole(on: EngineFixture, id: string): Promise<void> {
  const events = await on.events(id);
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
  const types = events.map(({ type }) => type);
  expect(types.filter((type) => type === "provisioned")).toHaveLength(1);
  expect(types.at(-1)).toBe("promoted");
}

test("a worker killed with kill -9 in the middle of an effect is taken over within a second or two", async () => {
  const on = await onFreshDatabase();
  const first = await startWorker(on.url, 60_000);
  const { id } = await on.propose({});
  await on.until(id, ({ phase }) => phase === "Provisioning");
  await expect.poll(() => holder(on, id)).toBe(first.id);
  const heir = await startWorker(on.url);
  const startMs = Date.now();
  await first.end("SIGKILL");
  await expect.poll(async () => (await holder(on, id)) !== first.id, { timeout: 5000, interval: 10 }).toBe(true);
  expect(Date.now() - startMs).toBeLessThan(2500);
  expect((await on.ended(id)).phase).toBe("Succeeded");
  await expectWhole(on, id);
  await heir.end("SIGTERM");
});

test("a frozen worker is taken over, and when it thaws its late answer changes nothing and it works on", async () => {
  const on = await onFreshDatabase();
  const frozen = await startWorker(on.url, 1000);
  const { id } = await on.propose({});
  await on.until(id, ({ phase }) => phase === "Provisioning");
  await expect.poll(() => holder(on, id)).toBe(frozen.id);
  frozen.child.kill("SIGSTOP");
  const startMs = Date.now();
  const heir = await startWorker(on.url);
  await expect.poll(async () => (await holder(on, id)) !== frozen.id, { timeout: 15_000, interval: 10 }).toBe(true);
  expect(Date.now() - startMs).toBeGreaterThan(3000);
  expect(Date.now() - startMs).toBeLessThan(8000);
  expect((await on.ended(id, 15_000)).phase).toBe("Succeeded");
  frozen.child.kill("SIGCONT");
  await heir.end("SIGTERM");
  const next = await on.propose({ name: "after" });
  expect((await on.ended(next.id, 15_000)).phase).toBe("Succeeded");
  await expectWhole(on, id);
  expect((await on.database.query("SELECT 1 FROM workers WHERE id = $1", [frozen.id])).rowCount).toBe(0);
});

test("a worker that is frozen in the middle of a commit holds its rows for a few seconds only", async () => {
  const on = await onFreshDatabase();
  const frozen = await startWorker(on.url, 400);
  const { id } = await on.propose({ rollout: { strategy: "all-at-once" } });
  await on.until(id, ({ phase }) => phase === "Provisioning");
  await on.database.transaction(async (tx) => {
    // The commit that ends the rollout waits for the endpoint, and holds the rollout and its job by then.
    await tx.query("SELECT FROM endpoints FOR UPDATE");
    const waiting = async () =>
      (
        await on.database.query(
          `SELECT 1 FROM pg_stat_activity WHERE application_name = 'engine-worker-process' AND wait_event_type = 'Lock'
             AND datname = current_database()`,
        )
      ).rowCount;
    await expect.poll(waiting, { timeout: 4000, interval: 10 }).toBe(1);
    frozen.child.kill("SIGSTOP");
  });
  expect((await on.rollout(id)).phase).toBe("Promoting");
  const startMs = Date.now();
  const heir = await startWorker(on.url);
  expect((await on.ended(id, 15_000)).phase).toBe("Succeeded");
  expect(Date.now() - startMs).toBeLessThan(12_000);
  frozen.child.kill("SIGCONT");
  await heir.end("SIGTERM");
  const next = await on.propose({ name: "after" });
  expect((await on.ended(next.id, 15_000)).phase).toBe("Succeeded");
  await expectWhole(on, id);
});

test("workers that are killed and replaced all the time still bring every rollout to its end, once", async () => {
  const on = await onFreshDatabase();
  await Promise.all([startWorker(on.url, 20), startWorker(on.url, 20)]);
  const proposed = Promise.all(
    Array.from({ length: 24 }, (_, index) => on.propose({ name: `c${index % 12}`, version: String(index) })),
  );
  for (let kill = 0; kill < 4; kill += 1) {
    await sleep(250);
    const [victim] = processes.splice(0, 1);
    await Promise.all([victim?.end("SIGKILL"), startWorker(on.url, 20)]);
  }
  for (const { id } of await proposed) {
    expect((await on.ended(id, 60_000)).phase).toBe("Succeeded");
    await expectWhole(on, id);
  }
  expect(await verifyAudit(on.database, TENANT)).toMatchObject({ ok: true });
});

test("a PostgreSQL killed with kill -9 comes back, and what ran goes on from where it was", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "continuum-engine-"));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  const server = await startEmbedded({ dataDir });
  closers.push(() => server.stop());
  const setup = await openDatabase(server.url, { max: 1 });
  await migrate(setup);
  await setup.close();
  const on = await engineFixture({ url: server.url });
  closers.push(() => on.close());
  await startWorker(server.url, 300);
  const rollouts = await Promise.all(Array.from({ length: 6 }, (_, index) => on.propose({ name: `p${index}` })));
  await on.until(rollouts[0]?.id ?? "", ({ phase }) => phase === "Provisioning");
  process.kill(server.pid, "SIGKILL");
  const again = await startEmbedded({ dataDir });
  expect(again.url).toBe(server.url);
  for (const { id } of rollouts) {
    expect((await on.ended(id, 30_000)).phase).toBe("Succeeded");
    await expectWhole(on, id);
  }
});
