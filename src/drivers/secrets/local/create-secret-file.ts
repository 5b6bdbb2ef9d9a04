import { open } from "node:fs/promises";

/**
 * Writes a new secret that only its owner can read, and never over one that is there.
 * Answers whether this call made it: of two that start at once one does, and both then read the same.
 */
export async function createSecretFile(path: string, bytes: Uint8Array): Promise<boolean> {
  const file = await open(path, "wx", 0o600).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return undefined;
    throw error;
  });
  if (file === undefined) return false;
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  return true;
}
