import { appendFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Parsed } from "../../../core/error.ts";
import { numberProfile } from "../../../core/monitor/sketch/number-profile.ts";
import { canonicalPlan, sha256Digest } from "../../../core/plan/canonical.ts";
import type { Plan } from "../../../core/plan/schema.ts";
import { newRollout } from "../../../core/rollout/new-rollout.ts";
import { Script, TO_FIRST_BAKE } from "../../../core/rollout/testing/rollouts.ts";
import { MemoryArtifacts } from "../../../drivers/artifacts/memory/memory-artifacts.ts";
import type { Database } from "../../../store/database.ts";
import type { EndpointKey } from "../../../store/queries/admission.ts";
import { createTestDatabase, type TestDatabase } from "../../../store/testing/test-database.ts";
import { engineParts } from "../../testing/engine-fixture.ts";
import { BaselineBook, type ProfiledBaseline } from "../baseline-book.ts";
import { captureFolder } from "../capture-tail.ts";
import { Monitor } from "../monitor.ts";
import type { MonitorParts } from "../monitor-parts.ts";

/** Monitors of one or several hosts over a database of their own, and captures as the data plane writes them. */
export interface MonitorFixture {
  on: TestDatabase;
  database: Database;
  artifacts: MemoryArtifacts;
  /** The present, by the database's clock as every monitor of the fixture sees it. */
  clock: { nowMs: number };
  logged: { event: string; facts: Record<string, unknown> }[];
  captureDir(host: string): string;
  parts(host?: string): MonitorParts;
  monitor(host?: string, options?: { keptMax?: number }): Monitor;
  /** A version that serves, or a candidate in its first bake beside it. */
  serve(version: TestVersion): Promise<void>;
  /** Adds lines to a capture file. */
  capture(at: EndpointKey, lines: readonly string[], how?: { file?: string; host?: string }): Promise<string>;
  close(): Promise<void>;
}

export interface TestVersion {
  at: EndpointKey;
  variant: string;
  role: "live" | "candidate";
  monitor?: Plan["spec"]["monitor"];
  judgement?: Plan["spec"]["rollout"]["judgement"];
  alarms?: string[];
}

export const HOST = "here";

export function endpointAt(name: string, tenant = "acme"): EndpointKey {
  return { tenant, environment: "development", target: "local", name };
}

export async function monitorFixture(): Promise<MonitorFixture> {
  const on = await createTestDatabase();
  const root = await mkdtemp(join(tmpdir(), "continuum-monitor-"));
  const seen = on.openAs("worker", { max: 6 });
  const logged: MonitorFixture["logged"] = [];
  const clock = { nowMs: Date.parse("2026-11-01T12:00:00Z") };
  const nowMs = () => clock.nowMs;
  const artifacts = new MemoryArtifacts();
  const engine = { ...engineParts(seen, { logged, behaviour: new Map(), faults: { plan: () => undefined } }), nowMs };
  const captureDir = (host: string) => join(root, host);
  const parts: MonitorFixture["parts"] = (host = HOST) => ({
    ...{ ...engine, artifacts, host, captureDir: captureDir(host), captureKey: Buffer.alloc(32, 7) },
    captureBytesPerSecondMax: 1e9,
    baselines: new BaselineBook({ database: seen, artifacts, nowMs, profile: async (bytes) => profiled(bytes) }),
  });
  return {
    ...{ on, database: on.database, artifacts, clock, logged, captureDir, parts },
    monitor: (host, options) => new Monitor(parts(host), options),
    serve: (version) => serve(on.database, version, clock.nowMs),
    capture: async (at, lines, { file = "20261101T120000000Z-000001.jsonl", host = HOST } = {}) => {
      const folder = captureFolder(captureDir(host), at);
      await mkdir(folder, { recursive: true });
      await appendFile(join(folder, file), lines.map((line) => `${line}\n`).join(""));
      return join(folder, file);
    },
    close: async () => {
      await on.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** A baseline of columns of numbers, as the fixture's book reads it. */
export function baselineOf(columns: Record<string, readonly number[]>): Uint8Array {
  return Buffer.from(JSON.stringify(columns));
}

function profiled(bytes: Uint8Array): Parsed<ProfiledBaseline> {
  const columns = JSON.parse(Buffer.from(bytes).toString()) as Record<string, number[]>;
  const profiles = Object.entries(columns).map(([name, values]) =>
    numberProfile({ name, rows: values.length, missing: 0, sorted: Float64Array.from(values).sort() }),
  );
  return { ok: true, value: { profiles, quality: null } };
}

async function serve(database: Database, version: TestVersion, nowMs: number): Promise<void> {
  const { at, variant, role, monitor, judgement, alarms = ["DataDriftAlarm"] } = version;
  const { tenant, environment, target, name } = at;
  const plan: Plan = {
    apiVersion: "continuum/v1",
    kind: "DeploymentPlan",
    metadata: { name },
    spec: {
      ...{
        environment: "development",
        target: "local",
        runtime: "gpu",
        workload: { kind: "inference" },
        dryRun: false,
      },
      model: { name, version: variant, artifact: `store:sha256:${"a".repeat(64)}` },
      compute: { instanceType: "ml.m5.large", instanceCount: 1 },
      rollout: {
        ...{ strategy: "canary", stepPercent: 10, bakeSeconds: 60, deadlineSeconds: 600 },
        ...(judgement === undefined ? {} : { judgement }),
      },
      rollback: { alarms, onHealthCheckFailure: true },
      ...(monitor === undefined ? {} : { monitor }),
    },
  };
  const bytes = canonicalPlan(plan);
  const planDigest = sha256Digest(bytes);
  const created = {
    id: variant,
    tenant,
    plan,
    planDigest,
    policyDigest: `sha256:${"c".repeat(64)}`,
    proposer: "robot",
  };
  const script = new Script(newRollout({ ...created, createdAtMs: nowMs - 3_600_000 })).happens(...TO_FIRST_BAKE);
  const live = role === "live";
  await database.transaction(async (tx) => {
    await tx.query("INSERT INTO tenants (tenant) VALUES ($1) ON CONFLICT DO NOTHING", [tenant]);
    await tx.query("INSERT INTO plans (tenant, digest, bytes) VALUES ($1, $2, $3)", [tenant, planDigest, bytes]);
    await tx.query(
      `INSERT INTO endpoints (tenant, environment, target, name, host) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT DO NOTHING`,
      [tenant, environment, target, name, HOST],
    );
    if (live)
      await tx.query(
        `UPDATE endpoints SET live_rollout = $5, live_plan_digest = $6
         WHERE tenant = $1 AND environment = $2 AND target = $3 AND name = $4`,
        [tenant, environment, target, name, variant, planDigest],
      );
    await tx.query(
      `INSERT INTO rollouts (tenant, id, environment, target, name, plan_digest, phase, active, terminal, dry_run,
         simulation, sequence, state, decision, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, false, false, $10, $11, '{}', $12)`,
      [
        ...[tenant, variant, environment, target, name, planDigest, live ? "Succeeded" : script.rollout.phase],
        ...[!live, live, script.rollout.sequence, JSON.stringify(script.rollout), new Date(nowMs - 3_600_000)],
      ],
    );
  });
}

/** One line of a capture, as the data plane writes it: one row of numbers asked for, one score answered. */
export function captureLine(of: {
  variant: string;
  atMs: number;
  row: readonly number[];
  role?: "stable" | "candidate";
  candidateProbability?: number;
  answer?: unknown;
  status?: number;
}): string {
  lineCount += 1;
  const requestId = `r-${lineCount}`;
  const { variant, role = "stable", candidateProbability = 0, status = 200 } = of;
  const body = (data: unknown, mode: string) => ({
    ...{ observedContentType: "application/json", encoding: "JSON", data: JSON.stringify(data), mode },
  });
  return JSON.stringify({
    captureData: {
      endpointInput: body({ instances: [of.row] }, "INPUT"),
      endpointOutput: body({ predictions: [of.answer ?? 0.5] }, "OUTPUT"),
    },
    eventMetadata: { eventId: requestId, inferenceTime: new Date(of.atMs).toISOString() },
    eventVersion: "0",
    continuum: { requestId, variant, role, modelVersion: "1", candidateProbability, status, latencyMs: 1 },
  });
}

let lineCount = 0;
