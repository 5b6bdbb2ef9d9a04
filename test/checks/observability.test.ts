import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { PHASES } from "../../src/core/rollout/rollout.ts";
import { ask } from "../../src/quickstart/traffic.ts";
import { type Continuum, startContinuum } from "../e2e/testing/continuum.ts";
import { deploy, importModel, invocable, planOf, submit, trustedKey } from "../e2e/testing/deployables.ts";

// Alerts and dashboard against what real processes export: a figure that is renamed takes its alert with it otherwise,
// and nobody hears of it.

const read = (path: string) => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), "utf8");

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}
const alerts: Rule[] = (parse(read("prometheus/alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
interface Panel {
  title: string;
  type: string;
  targets?: { expr: string }[];
  gridPos: { x: number; y: number; w: number; h: number };
  id: number;
}
const { panels } = JSON.parse(read("grafana/continuum.json")) as { panels: Panel[] };
const expressions: [string, string][] = [
  ...alerts.map(({ alert, expr }): [string, string] => [alert, expr]),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }): [string, string] => [title, expr])),
];

/** What pages of metrics export: each series' name with its labels and their values. */
type Exported = Map<string, Map<string, Set<string>>>;

let on: Continuum;
const exported: Exported = new Map();
beforeAll(async () => {
  const monitorUrl = `http://127.0.0.1:${await freePort()}`;
  on = await startContinuum({ environment: { CONTINUUM_MONITOR_OPS_PORT: new URL(monitorUrl).port } });
  const key = await trustedKey(on.admin);
  const artifact = await importModel(on.admin, { bias: 1 }, key);
  await deploy(on.admin, planOf("seen", { version: "1.0.0", artifact }));
  const url = await invocable(on, "seen");
  await ask({ url, token: "ctm_nobody", body: "1,2,3\n" });
  const tooLarge = { version: "2.0.0", artifact };
  await submit(
    on.admin,
    planOf("denied", tooLarge, { compute: { instanceType: "ml.p4d.24xlarge", instanceCount: 9 } }),
  );
  const urls = new Set([
    on.url,
    on.servingUrl,
    monitorUrl,
    ...on.started.processes.flatMap(({ url: own }) => (own?.startsWith("http") ? [own] : [])),
  ]);
  expect(urls.size).toBeGreaterThanOrEqual(5);
  await answers(`${monitorUrl}/healthz`);
  for (const each of urls) for (const token of [undefined, on.invokeToken]) await collect(`${each}/metrics`, token);
});
afterAll(() => on?.clear());

/** The monitor is started once all else is ready, and tells nobody where: so its port is chosen here. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function answers(url: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    await sleep(100);
  }
  throw new Error(`${url} did not answer within ten seconds`);
}

async function collect(url: string, token: string | undefined): Promise<void> {
  const headers = token === undefined || !url.startsWith(on.servingUrl) ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { headers });
  expect([url, response.status]).toEqual([url, 200]);
  for (const line of (await response.text()).split("\n")) {
    const [, type, kind] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    const suffixes = kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    if (type !== undefined) for (const suffix of suffixes) labelsOf(`${type}${suffix}`);
    const [, name, labels = ""] = /^([a-z]\w*)(?:\{(.*)\})? \S+/.exec(line) ?? [];
    if (name === undefined) continue;
    for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      const values = labelsOf(name).get(label) ?? new Set();
      labelsOf(name).set(label, values.add(value));
    }
  }
}

function labelsOf(name: string): Map<string, Set<string>> {
  const labels = exported.get(name) ?? new Map<string, Set<string>>();
  exported.set(name, labels);
  return labels;
}

/** Metrics that an expression names, with what it asks of their labels. */
function selectors(expr: string): { name: string; matchers: { label: string; operator: string; value: string }[] }[] {
  return [...expr.matchAll(/\b(continuum_\w+)(?:\{([^}]*)\})?/g)].map(([, name = "", inner = ""]) => ({
    name,
    matchers: [...inner.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label = "", operator = "", value = ""]) => ({
      ...{ label, operator, value },
    })),
  }));
}

/** What every scrape adds. */
const ADDED = new Set(["job", "instance"]);
const SETS: Readonly<Record<string, readonly string[]>> = { phase: PHASES, outcome: PHASES };

describe("every expression", () => {
  test.each(expressions)("%s asks for figures that are exported: %s", (_, expr) => {
    const found = selectors(expr);
    expect(found.length).toBeGreaterThan(0);
    for (const { name, matchers } of found) {
      expect(exported.has(name), `${name} is exported by nobody`).toBe(true);
      for (const { label, operator, value } of matchers) {
        const values = labelsOf(name).get(label);
        // A counter that nothing has moved yet has no series; its labels are seen once something has.
        if (labelsOf(name).size <= 1) continue;
        expect(values, `${name} has no label ${label}`).toBeDefined();
        if (operator !== "=") continue;
        const known = SETS[label] ?? [...(values ?? [])];
        const isOpen = ["result", "simulation", "status"].includes(label);
        if (!isOpen) expect(known, `${name} never has ${label}="${value}"`).toContain(value);
      }
    }
    const labels = new Set(found.flatMap(({ name }) => [...labelsOf(name).keys()]));
    const hasAll = found.every(({ name }) => labelsOf(name).size > 1);
    for (const [, list = ""] of expr.matchAll(/\b(?:by|on|without) ?\(([^)]*)\)/g)) {
      for (const label of list.split(",").map((one) => one.trim())) {
        if (hasAll && !ADDED.has(label)) expect(labels, `no figure of it has the label ${label}`).toContain(label);
      }
    }
  });

  test.each(expressions)("%s is balanced", (_, expr) => {
    for (const [open, close] of ["()", "{}", "[]"].map((pair) => [...pair] as [string, string])) {
      expect(expr.split(open).length).toBe(expr.split(close).length);
    }
  });
});

test("every alert says what it means and what to do, and pages only where somebody must get up", () => {
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  for (const { alert, labels, annotations } of alerts) {
    expect([alert, ["page", "warn"].includes(labels.severity)]).toEqual([alert, true]);
    expect(annotations.summary.length, alert).toBeGreaterThan(20);
    expect(annotations.runbook.length, alert).toBeGreaterThan(40);
  }
  expect(alerts.filter(({ labels }) => labels.severity === "page").length).toBeLessThan(alerts.length / 2);
});

test("commands that runbooks name are commands", async () => {
  const { COMMAND_GROUPS } = await import("../../src/surfaces/cli/specs/command-groups.ts");
  const paths = COMMAND_GROUPS.flatMap(({ commands }) => commands.map(({ path }) => path));
  for (const { alert, annotations } of alerts) {
    for (const [, words = ""] of annotations.runbook.matchAll(/\bcontinuum ([a-z]+(?: [a-z]+)?)/g)) {
      expect([alert, words, paths.some((path) => words === path || words.startsWith(`${path} `))]).toEqual([
        ...[alert, words, true],
      ]);
    }
  }
});

test("the figures that only we have are on the dashboard or in an alert", () => {
  const used = new Set(expressions.flatMap(([, expr]) => selectors(expr).map(({ name }) => name)));
  const own = [...exported.keys()].filter((name) => !/^continuum_(process|nodejs)_/.test(name));
  const families = new Set(own.map((name) => name.replace(/_(bucket|sum|count)$/, "")));
  const shown = (family: string) => [...used].some((name) => name.replace(/_(bucket|sum|count)$/, "") === family);
  const unseen = [...families].filter((family) => !shown(family));
  // By type and by version: for looking into one case, with a query of one's own.
  expect(unseen.toSorted()).toEqual(["continuum_rollout_events_total", "continuum_serving_candidate_percent"]);
});

test("no two panels of the dashboard share an id or lie on one another", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
});
