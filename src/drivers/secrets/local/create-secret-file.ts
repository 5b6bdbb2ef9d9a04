import { randomUUID } from "node:crypto";
import { link, open, rm } from "node:fs/promises";

/**
 * Writes a new secret that only its owner can read, and never over one that is there. It appears whole or not at all,
 * so that of two programs that start at once one makes it and both read the same.
 * Answers whether this call made it.
 */
export async function createSecretFile(path: string, bytes: Uint8Array): Promise<boolean> {
  const part = `${path}.${randomUUID()}.part`;
  try {
    const file = await open(part, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename, a link never takes the place of what is there.
    await link(part, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(part, { force: true });
  }
}
