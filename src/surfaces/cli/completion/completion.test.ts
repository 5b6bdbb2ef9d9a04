import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../program.ts";
import { COMMAND_GROUPS } from "../specs/command-groups.ts";
import { runForTest } from "../testing/run-for-test.ts";
import { completionModel, valuedOptions } from "./completion-model.ts";

const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
const silent = () => undefined;
const write = { out: silent, err: silent };
const places = completionModel(buildProgram({ groups: COMMAND_GROUPS, version: "", write, found: silent }));
const has = (shell: string) => spawnSync(shell, ["--version"]).status === 0;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-completion-"));
  mkdirSync(join(folder, "own policies"));
  for (const file of ["plan.yaml", "plan two.yaml"]) writeFileSync(join(folder, file), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function script(shell: string): Promise<string> {
  const { code, out, err } = await runForTest(["completion", shell], { folder });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out;
}

describe("the model of the command line", () => {
  it("holds every command, and what its options take", () => {
    const paths = COMMAND_GROUPS.flatMap((group) => group.commands.map(({ path }) => path));
    expect(places.map(({ path }) => path)).toEqual(expect.arrayContaining(paths));
    const check = places.find(({ path }) => path === "plan check")?.options ?? [];
    const of = (name: string) => check.find(({ names }) => names.includes(name));
    expect(of("-f")).toMatchObject({ names: ["--file", "-f"], value: "required", completes: "file" });
    expect(of("--policy")).toMatchObject({ completes: "folder" });
    expect(of("--output")).toMatchObject({ completes: { words: ["table", "json"] } });
    expect(of("--server")).toMatchObject({ value: "none", completes: undefined });
  });

  it("has no option that takes a word in one command and none in another: scripts pass over that word anywhere", () => {
    const valued = new Set(valuedOptions(places));
    const bare = places.flatMap(({ options }) => options.filter(({ value }) => value === "none"));
    expect(bare.flatMap(({ names }) => names).filter((name) => valued.has(name))).toEqual([]);
  });
});

describe.each(SHELLS)("the script for %s", (shell) => {
  it("names every command and every option", async () => {
    const text = await script(shell);
    for (const { commands, options } of places) {
      for (const { name } of commands) expect(text).toContain(name);
      for (const { names } of options) for (const name of names) expect(text).toContain(name.replace(/^-+/, ""));
    }
  });
});

const READERS = { bash: "-n", zsh: "-n", fish: "--no-execute" };
for (const [shell, option] of Object.entries(READERS)) {
  it.skipIf(!has(shell))(`is a script that ${shell} can read`, async () => {
    const file = join(folder, `script.${shell}`);
    writeFileSync(file, await script(shell));
    expect(spawnSync(shell, [option, file], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  });
}

it("refuses a shell that it does not know", async () => {
  const { code, err } = await runForTest(["completion", "tcsh"], { folder });
  expect({ code, err }).toMatchObject({ code: 64, err: expect.stringContaining("bash, zsh, fish, powershell") });
});

describe.skipIf(!has("bash"))("in bash", () => {
  it.each<[line: string[], offers: string[]]>([
    [["pla"], ["plan"]],
    [
      ["plan", ""],
      ["check", "submit", "diff", "explain"],
    ],
    [
      ["plan", "check", "--f"],
      ["--file", "--fix"],
    ],
    [
      ["plan", "check", "-f", "plan"],
      ["plan.yaml", "plan two.yaml"],
    ],
    [["plan", "check", "-f", "plan.yaml", "--serv"], ["--server"]],
    [["plan", "check", "--policy", ""], ["own policies"]],
    [["plan", "check", "--output", "=", "js"], ["json"]],
    [
      ["start", "--role", ""],
      ["all", "api", "worker", "serve", "monitor"],
    ],
    [["endpoint", "get", "-e", "stag"], ["staging"]],
    [["artifact", "import", "plan.y"], ["plan.yaml"]],
    [["artifact", "import", "plan.yaml", "plan.y"], []],
    [
      ["completion", ""],
      ["bash", "zsh", "fish", "powershell"],
    ],
    [["help", "plan", "ch"], ["check"]],
    [["rollout", "list", "--timeout", ""], []],
    [["no-such-command", "x"], []],
  ])("%j offers %j", async (line, offers) => {
    const file = join(folder, "continuum.bash");
    writeFileSync(file, await script("bash"));
    const ask = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _continuum; printf "%s\\n"';
    const all = `${ask} "\${COMPREPLY[@]}"`;
    const said = spawnSync("bash", ["--norc", "-c", all, "bash", file, "continuum", ...line], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(said.stderr).toBe("");
    const offered = said.stdout.split("\n").filter((text) => text !== "");
    expect(offered.toSorted()).toEqual(offers.toSorted());
  });
});
