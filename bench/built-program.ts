import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { scratchFolder } from "./measure.ts";

const HOME = fileURLToPath(new URL("..", import.meta.url));

/** The program as its package carries it, compiled: a clone strips types at its first start and holds what does so. */
export async function builtProgram(): Promise<{ main: string; remove(): void }> {
  const folder = await scratchFolder("program");
  const tsc = join(HOME, "node_modules", "typescript", "bin", "tsc");
  const out = join(folder.path, "dist");
  execFileSync(process.execPath, [tsc, "-p", join(HOME, "tsconfig.build.json"), "--outDir", out]);
  for (const name of ["policies", "package.json"])
    cpSync(join(HOME, name), join(folder.path, name), { recursive: true });
  // Each package for itself: a replica may read what a package's link leads to, and no whole folder of links.
  mkdirSync(join(folder.path, "node_modules"));
  for (const name of readdirSync(join(HOME, "node_modules")))
    symlinkSync(join(HOME, "node_modules", name), join(folder.path, "node_modules", name));
  return { main: join(out, "main.js"), remove: folder.remove };
}
