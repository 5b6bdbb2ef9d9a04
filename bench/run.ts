import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Measurement } from "./measure.ts";
import { type ReportedFigure, reported, table } from "./report.ts";

// `npm run bench -- [--quick] [--only NAME]... [--json FILE]`: every figure beside a peer measured in the same run.

/** Loaded one by one, so that what one measurement loads does not weigh on another. */
const MEASUREMENTS: Readonly<Record<string, () => Promise<Measurement>>> = {
  decision: async () => (await import("./decision.ts")).measureDecisions,
  sweep: async () => (await import("./sweep.ts")).measureSweep,
  step: async () => (await import("./step.ts")).measureSteps,
  takeover: async () => (await import("./takeover.ts")).measureTakeover,
  router: async () => (await import("./router.ts")).measureRouter,
  rollback: async () => (await import("./rollback.ts")).measureRollback,
  audit: async () => (await import("./audit.ts")).measureAudit,
  list: async () => (await import("./list.ts")).measureLists,
  installation: async () => (await import("./installation.ts")).measureInstallation,
  sketch: async () => (await import("./sketch.ts")).measureSketches,
  monitor: async () => (await import("./monitor.ts")).measureMonitor,
  "monitor-rollback": async () => (await import("./monitor-rollback.ts")).measureMonitorRollback,
  verification: async () => (await import("./verification.ts")).measureVerification,
  drift: async () => (await import("./drift.ts")).measureDrift,
};

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    json: { type: "string" },
  },
});

const unknown = (values.only ?? []).filter((name) => !(name in MEASUREMENTS));
if (unknown.length > 0) {
  console.error(`bench: no measurement ${unknown.join(", ")}; there is ${Object.keys(MEASUREMENTS).join(", ")}`);
  process.exit(64);
}

for (const [signal, code] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const])
  process.once(signal, () => process.exit(code));

const say = (line: string) => console.error(`bench: ${line}`);
const load = () => loadavg()[0]?.toFixed(2);
say(`${availableParallelism()} x ${cpus()[0]?.model ?? "?"}, Node ${process.versions.node}, load ${load()}`);
const figures: ReportedFigure[] = [];
const failures: string[] = [];
for (const [name, loadMeasurement] of Object.entries(MEASUREMENTS)) {
  if (values.only !== undefined && !values.only.includes(name)) continue;
  const startMs = performance.now();
  try {
    const measure = await loadMeasurement();
    figures.push(...(await measure({ quick: values.quick, say: (line) => say(`${name}: ${line}`) })).map(reported));
  } catch (error) {
    failures.push(name);
    say(`${name} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  say(`${name}: ${((performance.now() - startMs) / 1000).toFixed(1)} s, load ${load()}`);
}
console.log(table(figures));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
if (failures.length > 0) console.error(`bench: not measured: ${failures.join(", ")}`);
process.exit(failures.length === 0 && figures.length > 0 ? 0 : 1);
