import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { settings } from "../../src/config/schema.ts";
import { NOTIFICATION_TYPES } from "../../src/core/notification/event-types.ts";
import { COMMAND_GROUPS } from "../../src/surfaces/cli/specs/command-groups.ts";

// What can be said of deploy/ without Helm, a registry or a cluster; test/peers/helm.test.ts says the rest where Helm is.

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const folder = "deploy/helm/continuum";
const templates = readdirSync(new URL(`../../${folder}/templates`, import.meta.url)).map((name) => ({
  name,
  text: read(`${folder}/templates/${name}`),
}));
const known = new Set(settings().map(({ environmentName }) => environmentName));
const paths = new Set(COMMAND_GROUPS.flatMap(({ commands }) => commands.map(({ path }) => path)));

type Tree = { [name: string]: Tree | string | number | boolean | null | unknown[] };
interface Shape {
  $ref?: string;
  properties?: Record<string, Shape>;
  additionalProperties?: unknown;
}

describe("the chart", () => {
  const values = parse(read(`${folder}/values.yaml`)) as Tree;
  const schema = JSON.parse(read(`${folder}/values.schema.json`)) as Shape & { $defs: Record<string, Shape> };
  const isTree = (value: unknown): value is Tree =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const resolved = (shape: Shape): Shape => schema.$defs[shape.$ref?.replace("#/$defs/", "") ?? ""] ?? shape;

  test("is of the program's version", () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    expect(parse(read(`${folder}/Chart.yaml`))).toMatchObject({ appVersion: version, apiVersion: "v2" });
  });

  test("has a schema of exactly its values, which takes no other", () => {
    const compare = (tree: Tree, shape: Shape, at: string) => {
      const { properties, additionalProperties } = resolved(shape);
      if (properties === undefined) return;
      expect([at, additionalProperties]).toEqual([at, false]);
      for (const [name, value] of Object.entries(tree)) {
        const inner = properties[name];
        expect(inner, `${at}.${name} is not in the schema`).toBeDefined();
        if (inner !== undefined && isTree(value)) compare(value, inner, `${at}.${name}`);
      }
    };
    compare(values, schema, "values");
    const without = Object.keys(schema.properties ?? {}).filter((name) => !Object.hasOwn(values, name));
    expect(without).toEqual(["global"]);
  });

  test("names values that exist, settings that exist and commands that exist", () => {
    for (const { name, text } of templates) {
      for (const [, path = ""] of text.matchAll(/\.Values\.([A-Za-z.]+)/g)) {
        let at: unknown = values;
        for (const key of path.split(".")) at = isTree(at) ? at[key] : undefined;
        expect(at, `${name} names .Values.${path}`).toBeDefined();
      }
      for (const [variable] of text.matchAll(/CONTINUUM_[A-Z_]+[A-Z]/g)) {
        expect(known.has(variable) || ["CONTINUUM_URL", "CONTINUUM_TOKEN"].includes(variable), variable).toBe(true);
      }
    }
    const job = templates.find(({ name }) => name === "migrate-job.yaml")?.text ?? "";
    expect([job.includes("args: [migrate]"), paths.has("migrate")]).toEqual([true, true]);
    expect(templates.find(({ name }) => name === "NOTES.txt")?.text).toContain("token bootstrap");
    expect(paths.has("token bootstrap")).toBe(true);
  });

  test("opens every block that it closes", () => {
    for (const { name, text } of templates) {
      const opened = text.match(/\{\{-? *(if|with|range|define)\b/g)?.length ?? 0;
      expect([name, opened]).toEqual([name, text.match(/\{\{-? *end\b/g)?.length ?? 0]);
    }
  });
});

describe("the container file", () => {
  const lines = read("deploy/container/Containerfile").split("\n");
  const instructions = lines.filter((line) => /^[A-Z]+ /.test(line));
  const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith("FROM ")));

  test("installs from the lock file, and takes no development package along", () => {
    expect(instructions.filter((line) => line.includes("npm "))).toEqual([
      "RUN npm ci --no-audit --no-fund",
      "RUN npm ci --omit=dev --omit=optional --no-audit --no-fund",
    ]);
    expect(instructions.filter((line) => line.startsWith("FROM ")).length).toBe(3);
    expect(last.some((line) => line.startsWith("COPY . ") || line.includes("--from=build /app/node_modules"))).toBe(
      false,
    );
  });

  test("runs the program itself, as a user by number, and is asked whether it lives", () => {
    expect(last).toContain("USER 10001:10001");
    expect(last).toContain('ENTRYPOINT ["node", "/app/dist/main.js"]');
    expect(last.findIndex((line) => line.startsWith("USER "))).toBeGreaterThan(
      last.findLastIndex((line) => line.startsWith("RUN ")),
    );
    expect(last.some((line) => line.startsWith("HEALTHCHECK "))).toBe(true);
    const { files } = JSON.parse(read("package.json")) as { files: string[] };
    // What a package holds, the image holds: `bin` finds another Node, which the image does not need.
    for (const file of files.filter((one) => one !== "bin" && one !== "README.md")) {
      expect(
        last.some((line) => line.startsWith("COPY ") && line.includes(file)),
        file,
      ).toBe(true);
    }
  });

  test("is sent nothing but what it copies", () => {
    const ignored = read("deploy/container/Containerfile.dockerignore").split("\n");
    expect(ignored).toContain("*");
    for (const line of instructions.filter((one) => one.startsWith("COPY ") && !one.includes("--from"))) {
      for (const path of line.split(" ").slice(1, -1))
        expect([path, ignored.includes(`!${path}`)]).toEqual([path, true]);
    }
  });
});

test("the guide of webhooks has every type, in the program's words", () => {
  const guide = read("docs/guides/webhooks.md");
  for (const [type, words] of Object.entries(NOTIFICATION_TYPES)) expect(guide).toContain(`| \`${type}\` | ${words} |`);
});
