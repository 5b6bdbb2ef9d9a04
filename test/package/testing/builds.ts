import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../..");
const PACKED = ["bin", "src", "policies", "examples", "package.json", "tsconfig.json", "tsconfig.build.json"];
const DOCUMENTS = ["README.md", "LICENSE", "NOTICE"];

/** A change of the sources before they are built: the text must be there, and once. */
export interface Patch {
  file: string;
  find: string;
  put: string;
}

/** Whether this folder is a clone that has the commit; a tarball of the sources has no history. */
export function hasCommit(commit: string): boolean {
  return spawnSync("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: root, stdio: "ignore" }).status === 0;
}

/** Builds and packs a commit as it was released; answers the program's entry in the unpacked tarball. */
export function packCommit(commit: string, into: string): string {
  const sources = join(into, "sources");
  mkdirSync(sources, { recursive: true });
  const archive = execFileSync("git", ["archive", commit], { cwd: root, maxBuffer: 256 * 1024 * 1024 });
  execFileSync("tar", ["-x", "-C", sources], { input: archive });
  return pack(sources, into);
}

/** Builds and packs the sources that lie here, with changes; answers the program's entry in the unpacked tarball. */
export function packPresent(patches: readonly Patch[], into: string): string {
  const sources = join(into, "sources");
  mkdirSync(sources, { recursive: true });
  for (const path of [...PACKED, ...DOCUMENTS]) cpSync(join(root, path), join(sources, path), { recursive: true });
  for (const { file, find, put } of patches) {
    const text = readFileSync(join(sources, file), "utf8");
    if (text.split(find).length !== 2) throw new Error(`${file} does not hold once what is to be changed: ${find}`);
    writeFileSync(
      join(sources, file),
      text.replace(find, () => put),
    );
  }
  return pack(sources, into);
}

/** What a replica loads: its permissions end at a link. */
const COPIED = new Set(["onnxruntime-node", "onnxruntime-common"]);

/** The installed packages, so that a test needs no registry. */
function linkPackages(into: string): void {
  const installed = join(root, "node_modules");
  mkdirSync(into);
  for (const name of readdirSync(installed)) {
    if (COPIED.has(name)) cpSync(join(installed, name), join(into, name), { recursive: true });
    else symlinkSync(join(installed, name), join(into, name));
  }
}

function pack(sources: string, into: string): string {
  symlinkSync(join(root, "node_modules"), join(sources, "node_modules"));
  run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], sources);
  run("npm", ["pack", "--ignore-scripts", "--pack-destination", into], sources);
  const tarball = readdirSync(into).find((name) => name.endsWith(".tgz")) ?? "";
  run("tar", ["-xzf", tarball], into);
  linkPackages(join(into, "package", "node_modules"));
  return join(into, "package", "dist", "main.js");
}

function run(command: string, args: string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
}
