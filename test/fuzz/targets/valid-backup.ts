import { createHash } from "node:crypto";
import { keyFingerprint, manifestSeal } from "../../../src/core/backup/manifest.ts";
import { BLOCK_BYTES, paddingBytes, tarHeader } from "../../../src/store/backup/tar-header.ts";

/** A small backup that verifies, made by hand: two tables' rows and an artifact of no meaning. */
export function backupBytes(key: Uint8Array): Buffer {
  const contents: [path: string, content: string, rows?: number][] = [
    ["backup.json", '{"format":"continuum-backup","version":1}'],
    ["database/rollouts/000001.copy", "1\ta\n2\tb\n", 2],
    [`artifacts/${"ab".repeat(32)}/${"cd".repeat(32)}`, "sealed bytes"],
  ];
  const parts = contents.map(([path, content, rows]) => ({
    path,
    bytes: Buffer.byteLength(content),
    sha256: createHash("sha256").update(content).digest("hex"),
    ...(rows === undefined ? {} : { rows }),
  }));
  const manifest = JSON.stringify({
    ...{ format: "continuum-backup", version: 1, createdAt: "2026-11-23T07:00:00.000Z" },
    ...{ program: { version: "0.1.0" }, postgres: { version: "18.4" }, schema: { version: 1, migrations: [] } },
    tables: [{ name: "rollouts", columns: ["id", "name"], rows: 2 }],
    sequences: [{ name: "generations", value: 7 }],
    keys: [{ purpose: "artifact-store", reference: "file:x", fingerprint: keyFingerprint(key) }],
    parts,
  });
  const seal = JSON.stringify({ key: "artifact-store", hmacSha256: manifestSeal(key, Buffer.from(manifest)) });
  const all = [...contents.map(([path, content]) => [path, content] as const), ["manifest.json", manifest] as const];
  return Buffer.concat([...[...all, ["seal.json", seal] as const].map(entry), Buffer.alloc(2 * BLOCK_BYTES)]);
}

function entry([path, text]: readonly [string, string]): Buffer {
  const content = Buffer.from(text);
  const header = tarHeader({ path, sizeBytes: content.length }, 1_795_000_000_000);
  return Buffer.concat([header, content, Buffer.alloc(paddingBytes(content.length))]);
}
