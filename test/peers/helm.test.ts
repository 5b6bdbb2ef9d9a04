import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { settings } from "../../src/config/schema.ts";

// The chart as Helm renders it. `helm` from PATH or from HELM; `go install helm.sh/helm/v3/cmd/helm@latest` makes one.
// Strict decoding with the API's own types builds a small program with Go, which loads its modules the first time.

const CHART = fileURLToPath(new URL("../../deploy/helm/continuum", import.meta.url));
const DECODER = fileURLToPath(new URL("helm-decode", import.meta.url));
const helm = works(process.env["HELM"] ?? "helm", ["version"]);
const go = works(process.env["GO"] ?? "go", ["version"]);
const why = helm === undefined ? " (skipped: there is no helm)" : "";
const whyNot = helm === undefined || go === undefined ? " (skipped: there is no helm or no Go)" : "";

const NEEDED = "database.existingSecret=database,keys.existingSecret=keys";
const MODES = {
  "with a data plane": "serve.enabled=true",
  "without a data plane": "serve.enabled=false",
  "with everything optional":
    "serviceMonitor.enabled=true,podAnnotations.a=b,settings.linkBaseUrl=https://c.example,settings.webhookInternalHosts=hooks.internal,networkPolicy.webhookPorts=null",
};

interface Container {
  name: string;
  args: string[];
  env?: { name: string; value?: string }[];
  securityContext: Record<string, unknown>;
  resources: { requests?: object; limits?: { memory?: string } };
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  livenessProbe?: object;
  readinessProbe?: object;
  startupProbe?: object;
}
interface PodSpec {
  containers: Container[];
  automountServiceAccountToken: boolean;
  securityContext: Record<string, unknown>;
  volumes: { name: string; hostPath?: unknown }[];
  hostNetwork?: boolean;
  hostPID?: boolean;
}
interface KubernetesObject {
  kind: string;
  metadata: { name: string; labels: Record<string, string>; annotations?: Record<string, string> };
  spec?: Record<string, unknown> & { template?: { metadata: { labels: Record<string, string> }; spec: PodSpec } };
}

function works(command: string, args: string[]): string | undefined {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0 ? command : undefined;
}

function template(...sets: string[]): string {
  const args = ["template", "c", CHART, "--kube-version", "1.31.0", ...sets.flatMap((set) => ["--set", set])];
  return execFileSync(helm ?? "helm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function objects(mode: string): KubernetesObject[] {
  return parseAllDocuments(template(NEEDED, mode))
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

describe.skipIf(helm === undefined)(`the chart${why}`, () => {
  test("is one that helm lint has nothing against", () => {
    const run = spawnSync(helm ?? "", ["lint", "--strict", CHART, "--set", NEEDED], { encoding: "utf8" });
    expect([run.status, run.stdout]).toEqual([0, expect.stringContaining("0 chart(s) failed")]);
  });

  test.each([
    ["nothing named", []],
    ["a misspelt value", [NEEDED, "serv.enabled=true"]],
    ["a moving tag", [NEEDED, "image.tag=latest"]],
    ["no API", [NEEDED, "api.replicaCount=0"]],
    ["a digest that is none", [NEEDED, "image.digest=abc"]],
    ["no tenant's name", [NEEDED, "settings.tenant=A_B"]],
  ])("refuses %s", (_, sets) => expect(() => template(...sets)).toThrow());

  describe.each(Object.entries(MODES))("%s", (_, mode) => {
    let all: KubernetesObject[];
    beforeAll(() => {
      all = objects(mode);
    });
    const pods = () =>
      all.flatMap(({ kind, spec }) => (spec?.template === undefined ? [] : [{ kind, ...spec.template }]));
    const containers = () => pods().flatMap(({ kind, spec }) => spec.containers.map((one) => ({ ...one, kind })));

    test("runs nothing as root, with a token, or with a way to more rights", () => {
      expect(pods().length).toBeGreaterThanOrEqual(2);
      for (const { spec } of pods()) {
        expect(spec).toMatchObject({
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: "RuntimeDefault" } },
        });
        expect([spec.hostNetwork, spec.hostPID, spec.volumes.some(({ hostPath }) => hostPath)]).toEqual([
          ...[undefined, undefined, false],
        ]);
      }
      for (const { securityContext } of containers()) {
        expect(securityContext).toEqual({
          ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, privileged: false },
          capabilities: { drop: ["ALL"] },
        });
      }
      const accounts = all.filter(({ kind }) => kind === "ServiceAccount");
      expect(accounts).toMatchObject([{ automountServiceAccountToken: false }]);
      expect(all.some(({ kind }) => /Role/.test(kind))).toBe(false);
    });

    test("asks every process whether it lives and works, and bounds what it takes", () => {
      for (const { kind, livenessProbe, readinessProbe, startupProbe, resources } of containers()) {
        expect(resources).toMatchObject({ requests: expect.anything(), limits: { memory: expect.anything() } });
        if (kind === "Job") continue;
        expect([startupProbe, livenessProbe]).toMatchObject([
          ...[{ httpGet: { path: "/healthz" } }, { httpGet: { path: "/healthz" } }],
        ]);
        expect(readinessProbe).toMatchObject({ httpGet: { path: "/readyz" } });
      }
    });

    test("sets settings that exist, and no secret in clear", () => {
      const known = new Set(settings().map(({ environmentName }) => environmentName));
      for (const { env = [] } of containers()) {
        expect(env.filter(({ name }) => !known.has(name))).toEqual([]);
        for (const { name, value } of env)
          if (/DATABASE_URL|KEY/.test(name)) expect(value).toMatch(/^file:\/etc\/continuum\//);
      }
    });

    test("keeps the database's password from the data plane", () => {
      for (const { args, volumeMounts, env = [] } of containers().filter((one) => one.args.includes("serve"))) {
        expect([args, volumeMounts.some(({ name }) => name === "database")]).toEqual([expect.anything(), false]);
        expect(env.some(({ name }) => name === "CONTINUUM_DATABASE_URL")).toBe(false);
      }
    });

    test("migrates before anything else, as a step of the release", () => {
      const jobs = all.filter(({ kind }) => kind === "Job");
      expect(jobs).toMatchObject([
        {
          metadata: { annotations: { "helm.sh/hook": "pre-install,pre-upgrade" } },
          spec: { template: { spec: { restartPolicy: "Never", containers: [{ args: ["migrate"] }] } } },
        },
      ]);
    });

    test("has for every set of pods a budget that finds it, and services that find their ports", () => {
      const sets = all.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet");
      const budgets = all.filter(({ kind }) => kind === "PodDisruptionBudget");
      expect(budgets.length).toBe(sets.length);
      const finds = (selector: Record<string, string>, labels: Record<string, string>) =>
        Object.entries(selector).every(([name, value]) => labels[name] === value);
      for (const { spec } of sets) {
        const labels = spec?.template?.metadata.labels ?? {};
        const selector = (of: KubernetesObject) =>
          (of.spec?.["selector"] as { matchLabels: Record<string, string> } | undefined)?.matchLabels ?? {};
        expect(budgets.filter((budget) => finds(selector(budget), labels))).toHaveLength(1);
      }
      for (const service of all.filter(({ kind }) => kind === "Service")) {
        const found = pods().filter(
          ({ kind, metadata }) =>
            kind !== "Job" && finds(service.spec?.["selector"] as Record<string, string>, metadata.labels),
        );
        const ports = found.flatMap(({ spec }) =>
          spec.containers.flatMap((one) => (one as never as { ports: { name: string }[] }).ports),
        );
        for (const { targetPort } of (service.spec?.["ports"] ?? []) as { targetPort: string }[]) {
          expect([service.metadata.name, ports.map(({ name }) => name)]).toEqual([
            ...[service.metadata.name, expect.arrayContaining([targetPort])],
          ]);
        }
      }
    });
  });
});

describe.skipIf(helm === undefined || go === undefined)(`decoded by Kubernetes' own types${whyNot}`, () => {
  let folder = "";
  let decoder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "continuum-decode-"));
    decoder = join(folder, "decode");
    const built = spawnSync(go ?? "", ["build", "-o", decoder, "."], { cwd: DECODER, encoding: "utf8" });
    if (built.status !== 0) throw new Error(`the decoder could not be built: ${built.stderr.slice(-800)}`);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(Object.entries(MODES))("%s", (_, mode) => {
    const run = spawnSync(decoder, { input: template(NEEDED, mode), encoding: "utf8" });
    const lines = run.stdout.trim().split("\n");
    expect(lines.filter((line) => !line.startsWith("ok"))).toEqual([]);
    expect(lines.filter((line) => line.includes("not decoded"))).toEqual(
      mode.includes("serviceMonitor") ? [expect.stringContaining("ServiceMonitor")] : [],
    );
    expect([run.status, lines.length > 7]).toEqual([0, true]);
  });

  test("finds a field that is none", () => {
    const text = template(NEEDED, MODES["without a data plane"]).replace(
      "readOnlyRootFilesystem:",
      "readOnlyRootFileSystem:",
    );
    const run = spawnSync(decoder, { input: text, encoding: "utf8" });
    expect([run.status, run.stdout]).toEqual([1, expect.stringContaining("readOnlyRootFileSystem")]);
  });
});
