import { chmod, chown, lstat, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Whom the server runs as; undefined means as the present user. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/** `nobody` on every Linux: PostgreSQL refuses to run as root, and this user needs no account to be made. */
const NOBODY: ServerUser = { uid: 65_534, gid: 65_534 };

export function serverUser(): ServerUser | undefined {
  return process.getuid?.() === 0 ? NOBODY : undefined;
}

/**
 * Whether `user` can walk into the folder from the top. The folder itself, when it is ours, is opened for walking
 * through (not for listing): what it holds protects itself.
 */
export async function openToUser(folder: string, user: ServerUser | undefined): Promise<boolean> {
  if (user === undefined) return true;
  for (let above = dirname(resolve(folder)); ; above = dirname(above)) {
    if (!(await canWalk(above, user))) return false;
    if (above === dirname(above)) break;
  }
  if (!(await canWalk(folder, user))) {
    const { mode } = await stat(folder);
    await chmod(folder, (mode & 0o777) | 0o111);
  }
  return true;
}

async function canWalk(folder: string, user: ServerUser): Promise<boolean> {
  const { mode, uid, gid } = await stat(folder);
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

/** Gives a path to the server's user; a symlink is never followed. */
export async function give(path: string, user: ServerUser | undefined): Promise<void> {
  if (user === undefined) return;
  const found = await lstat(path);
  if (found.isSymbolicLink()) throw new Error(`${path} is a symbolic link`);
  await chown(path, user.uid, user.gid);
}
