import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { permissionFlags, replicaEntry } from "./replica-permissions.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "continuum-permissions-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const stateFile = join(folder, "serving.json");
writeFileSync(stateFile, "{}");
writeFileSync(join(folder, "secret"), "of another tenant");

/** Runs a program with a replica's rights, and answers what it printed. */
function withRights(program: string): string {
  const flags = permissionFlags(stateFile);
  const { stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", ...flags, "-e", program], {
    env: {},
    cwd: "/",
    encoding: "utf8",
  });
  return stdout + stderr;
}

const read = (path: string) =>
  `try { fs.readFileSync(${JSON.stringify(path)}); console.log("read") } catch (error) { console.log(error.code) }`;

it("are to read the program and the state file", () => {
  for (const path of [stateFile, replicaEntry()]) expect(withRights(read(path))).toBe("read\n");
});

it.each([
  ["a file beside the state file", join(folder, "secret")],
  ["a file that every user may read", "/etc/passwd"],
  ["another part of this program", fileURLToPath(new URL("../controller.ts", import.meta.url))],
])("are not to read %s", (_, path) => {
  expect(withRights(read(path))).toBe("ERR_ACCESS_DENIED\n");
});

it("are neither to write nor to start programs", () => {
  const denied = (act: string) =>
    withRights(`try { ${act}; console.log("done") } catch (error) { console.log(error.code) }`);
  expect(denied(`fs.writeFileSync(${JSON.stringify(stateFile)}, "")`)).toBe("ERR_ACCESS_DENIED\n");
  expect(denied('child_process.spawnSync("true")')).toBe("ERR_ACCESS_DENIED\n");
});

it("are enough where a package manager keeps packages elsewhere and links them together", () => {
  // The folders of pnpm, and of `npm link`: every package is reached through a link.
  const store = join(folder, "store");
  const app = join(store, "continuum");
  const modules = join(app, "node_modules");
  const source = fileURLToPath(new URL("../..", import.meta.url));
  mkdirSync(modules, { recursive: true });
  writeFileSync(join(app, "package.json"), '{"type":"module"}');
  for (const part of ["core/error.ts", "serving"])
    cpSync(join(source, part), join(app, "src", part), { recursive: true });
  const runtimePackage = dirname(dirname(createRequire(import.meta.url).resolve("onnxruntime-node")));
  const runtime = join(store, "runtime", "node_modules", "onnxruntime-node");
  mkdirSync(runtime, { recursive: true });
  for (const part of ["package.json", "dist"])
    cpSync(join(runtimePackage, part), join(runtime, part), { recursive: true });
  const binary = join("bin", "napi-v6", process.platform, process.arch);
  cpSync(join(runtimePackage, binary), join(runtime, binary), { recursive: true });
  const common = join(dirname(runtimePackage), "onnxruntime-common");
  symlinkSync(realpathSync(common), join(store, "runtime", "node_modules", "onnxruntime-common"));
  symlinkSync(runtime, join(modules, "onnxruntime-node"));
  symlinkSync(realpathSync(join(dirname(runtimePackage), "zod")), join(modules, "zod"));
  symlinkSync(app, join(folder, "linked"));

  const start = `
    const { permissionFlags, replicaEntry } = await import(${JSON.stringify(join(folder, "linked/src/serving/supervisor/replica-permissions.ts"))});
    const { spawnSync } = await import("node:child_process");
    const flags = ["--no-warnings", ...permissionFlags(${JSON.stringify(stateFile)})];
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, replicaEntry()], { env: {}, cwd: "/", input: Buffer.alloc(4) });
    console.log(String(stdout) + String(stderr));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", "--input-type=module", "-e", start], {
    encoding: "utf8",
  });
  // It loaded all it imports, and found that the start order it was given is none.
  expect(stdout + stderr).toContain('"code":"replica-failed"');
  expect(stdout + stderr).not.toContain("restricted");
});
