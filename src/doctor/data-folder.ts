import { lstat, open, readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Config } from "../config/schema.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { isAlive, type ProcessMark } from "../store/embedded/living-process.ts";
import { broken, note, ok, reasonOf, sizeText } from "./finding.ts";

const MIB = 1024 * 1024;
const LEAST_BYTES = 256 * MIB;
const SPARE_BYTES = 2048 * MIB;

/** Magic numbers of statfs(2), in <linux/magic.h> and the sources of the file systems that are not there. */
const NETWORK: Readonly<Record<number, string>> = {
  [0x6969]: "NFS",
  [0xff534d42]: "CIFS",
  [0xfe534d42]: "SMB",
  [0x517b]: "SMB",
  [0x01021997]: "9p",
  [0x5346414f]: "AFS",
  [0x00c36400]: "Ceph",
  [0x65735546]: "FUSE, as many network file systems are",
};
const TMPFS = 0x01021994;

/** The folder that everything is kept in, as it is; it is not made here. */
export async function lookAtDataFolder({ dataDir }: Config): Promise<DoctorFinding[]> {
  const at = { check: "data-folder.there", looked: `data folder ${dataDir}` };
  const status = await stat(dataDir).catch((error: NodeJS.ErrnoException) => error);
  if (status instanceof Error) {
    if (status.code !== "ENOENT") return [broken(at, `cannot be read: ${reasonOf(status)}`, "let this user into it")];
    const above = await nearestAbove(dataDir);
    return [ok(at, "not there yet; the first start makes it"), await lookAtSpace(above), await lookAtWriting(above)];
  }
  if (!status.isDirectory()) return [broken(at, "is a file", "name a folder with --data-dir or CONTINUUM_DATA_DIR")];
  return [
    ok(at, "is there"),
    lookAtOwner(dataDir, status),
    await lookAtWriting(dataDir),
    await lookAtSpace(dataDir),
    await lookAtFileSystem(dataDir),
    ...(await lookAtKeys(join(dataDir, "keys"))),
  ];
}

async function nearestAbove(folder: string): Promise<string> {
  for (let above = dirname(folder); ; above = dirname(above)) {
    if (above === dirname(above) || (await stat(above).catch(() => undefined)) !== undefined) return above;
  }
}

function lookAtOwner(dataDir: string, { uid, mode }: { uid: number; mode: number }): DoctorFinding {
  const at = { check: "data-folder.owner", looked: "its owner and mode" };
  const own = process.getuid?.();
  const seen = `user ${uid}, mode ${octal(mode)}`;
  if (own === undefined) return ok(at, "this system has no owners");
  if (uid !== own && own !== 0)
    return broken(
      at,
      `${seen}; this is user ${own}`,
      `run as the user that owns it, or \`chown -R ${own} ${dataDir}\``,
    );
  if ((mode & 0o022) !== 0) return broken(at, `${seen}: others may write into it`, `chmod 711 ${dataDir}`);
  return ok(at, seen);
}

/** By doing it: a mode says nothing of a mount that is read-only, or of a quota. */
async function lookAtWriting(folder: string): Promise<DoctorFinding> {
  const at = { check: "data-folder.writing", looked: `writing into ${folder}` };
  const probe = join(folder, `.doctor-${process.pid}`);
  try {
    const file = await open(probe, "wx", 0o600);
    try {
      await file.writeFile(Buffer.alloc(4096));
      await file.sync();
    } finally {
      await file.close();
    }
    return ok(at, "a file was written, synced and removed");
  } catch (error) {
    return broken(at, `failed: ${reasonOf(error)}`, MENDS[reasonOf(error)] ?? "let this user write there");
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

const MENDS: Readonly<Record<string, string>> = {
  EROFS: "it is mounted read-only: mount it writable, or name another folder with --data-dir",
  ENOSPC: "the disk is full: free space, or name another folder with --data-dir",
  EDQUOT: "this user's quota is used up: raise it, or name another folder with --data-dir",
};

async function lookAtSpace(folder: string): Promise<DoctorFinding> {
  const at = { check: "data-folder.space", looked: `free space at ${folder}` };
  const { bavail, bsize, files, ffree } = await statfs(folder);
  const free = bavail * bsize;
  const seen = sizeText(free);
  const mend = "free space, or move the data folder to a larger disk";
  if (files > 0 && ffree < 1000) return broken(at, `${seen}, but room for only ${ffree} files`, mend);
  if (free < LEAST_BYTES) return broken(at, seen, mend);
  return free < SPARE_BYTES ? note(at, seen, mend) : ok(at, seen);
}

async function lookAtFileSystem(folder: string): Promise<DoctorFinding> {
  const at = { check: "data-folder.file-system", looked: "its file system" };
  const { type } = await statfs(folder);
  if (process.platform !== "linux") return ok(at, "this system does not say which");
  if (type === TMPFS)
    return note(
      at,
      "memory (tmpfs)",
      "what is kept there is gone after a reboot: name a folder on a disk with --data-dir",
    );
  const network = NETWORK[type];
  if (network === undefined) return ok(at, "on this machine");
  const mend = "PostgreSQL and the locks want a disk of this machine: move it there, or set databaseUrl to a server";
  return note(at, network, mend);
}

/** Whoever reads a key reads everything that it closes. */
async function lookAtKeys(folder: string): Promise<DoctorFinding[]> {
  const at = { check: "keys.modes", looked: `key files in ${folder}` };
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => error);
  if (names instanceof Error)
    return names.code === "ENOENT"
      ? [ok(at, "none yet; the first start makes them")]
      : [broken(at, `cannot be read: ${reasonOf(names)}`, "let this user into it")];
  const open: string[] = [];
  for (const name of names) {
    const { mode } = await lstat(join(folder, name));
    if (process.platform !== "win32" && (mode & 0o077) !== 0) open.push(`${name} (${octal(mode)})`);
  }
  if (open.length === 0) return [ok(at, names.length === 0 ? "none" : `${names.join(", ")}: for their owner alone`)];
  return [broken(at, `others may use ${open.join(", ")}`, `chmod 600 ${folder}/*`)];
}

/** The process that holds the folder's lock, when it lives. */
export async function holderOf(dataDir: string): Promise<{ mark: ProcessMark; alive: boolean } | undefined> {
  const text = await readFile(join(dataDir, "start.lock"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { pid, startedAt } = JSON.parse(text) as Partial<ProcessMark>;
    const mark = { pid: Number(pid), startedAt: String(startedAt ?? "") };
    return { mark, alive: mark.pid > 0 && isAlive(mark) };
  } catch {
    return { mark: { pid: 0, startedAt: "" }, alive: false };
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(3, "0");
}
