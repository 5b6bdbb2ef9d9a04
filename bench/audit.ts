import { checkpointSigner } from "../src/core/audit/checkpoint-signer.ts";
import { verifyConsistency } from "../src/core/audit/merkle-proof.ts";
import { directoryArchive } from "../src/drivers/archive/directory/directory-archive.ts";
import { type AuditFact, appendAudit, proveRows, sequenceAudit } from "../src/engine/audit-log.ts";
import { AuditNotary } from "../src/engine/audit-notary.ts";
import type { NotaryParts } from "../src/engine/audit-parts.ts";
import { ensureNodes, nodeReader, proveConsistency, rootNow } from "../src/engine/audit-tree.ts";
import { verifyAudit } from "../src/engine/audit-verify.ts";
import { SYSTEM } from "../src/engine/engine.ts";
import { TENANT } from "../src/engine/testing/engine-fixture.ts";
import type { Database } from "../src/store/database.ts";
import { positionedEntries, readAuditTree } from "../src/store/queries/audit.ts";
import { benchDatabase, proposingParts } from "./database.ts";
import { type Figure, type Measurement, must, scratchFolder, seededRandom } from "./measure.ts";

/**
 * The audit log, with a notary beside it that signs and publishes a checkpoint each second, beside a plain table with
 * the same columns but no tree, no hash, no order and no signature.
 */
export const measureAudit: Measurement = async ({ quick, say }) => {
  const on = await benchDatabase("audit");
  const folder = await scratchFolder("audit-checkpoints");
  try {
    await on.database.query(
      "CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text, subject text, entry bytea)",
    );
    const rounds = quick ? 3 : 6;
    const each = quick ? 300 : 1000;
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(await perSecond(each, (index) => insertPlain(on.database, fact(index))));
      ours.push(await perSecond(each, (index) => on.database.transaction((tx) => appendAudit(tx, fact(index)))));
    }
    const notary = new AuditNotary({ parts: notaryParts(on.database, folder.path) });
    await notary.start();
    const signed: number[] = [];
    const beside: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      beside.push(await perSecond(each, (index) => insertPlain(on.database, fact(index))));
      const sequencing = setInterval(() => void sequenceAudit(on.database, TENANT).catch(() => undefined), 250);
      signed.push(await perSecond(each, (index) => on.database.transaction((tx) => appendAudit(tx, fact(index)))));
      clearInterval(sequencing);
    }
    await notary.stop();
    const { rows } = await on.database.query<{ count: number }>("SELECT count(*) FROM audit_checkpoints");
    must((rows[0]?.count ?? 0) > 0, "checkpoints were signed while entries were appended");
    say(`${rows[0]?.count} checkpoints were signed meanwhile`);
    const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    const append: Figure = {
      ...{ name: "audit appends per second, one a transaction", value: mean(ours), unit: "/s" },
      ...{ peer: "plain INSERT, one a transaction", peerValue: mean(theirs), aim: null },
    };
    const withCheckpoints: Figure = {
      ...{ name: "audit appends per second, sequenced, signed and published beside", value: mean(signed), unit: "/s" },
      ...{ peer: "plain INSERT, one a transaction", peerValue: mean(beside), aim: null },
    };
    const figures = [append, withCheckpoints];
    for (const target of quick ? [5_000] : [10_000, 100_000, 1_000_000]) {
      figures.push(...(await verification(on.database, { target, say })));
      figures.push(await proofs(on.database, { size: target, count: quick ? 50 : 300 }));
    }
    return figures;
  } finally {
    await on.close();
    folder.remove();
  }
};

function fact(index: number): AuditFact {
  return {
    ...{ tenant: TENANT, atMs: 1_790_000_000_000 + index, actor: SYSTEM, action: "rollout.provisioned" },
    ...{ subject: `rollout:r-${index % 5000}`, outcome: "accepted" },
    details: {
      planDigest: `sha256:${"a".repeat(64)}`,
      endpoint: "staging/local/churn",
      sequence: index % 20,
      phase: "Provisioning",
    },
  };
}

const PLAIN = "INSERT INTO plain (tenant, subject, entry) VALUES ($1, $2, $3)";

async function insertPlain(database: Database, { tenant, subject, ...rest }: AuditFact): Promise<void> {
  await database.transaction((tx) => tx.query(PLAIN, [tenant, subject, Buffer.from(JSON.stringify(rest))]));
}

/** Eight clients at once, as several workers and an API are. */
async function perSecond(count: number, append: (index: number) => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) await append(index);
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return (count / (performance.now() - startMs)) * 1000;
}

/** Fills the log up to a size through its own functions, gives the entries their places, and verifies all of it. */
async function verification(
  database: Database,
  { target, say }: { target: number; say(line: string): void },
): Promise<Figure[]> {
  const perTransaction = 1000;
  const present = await database.query<{ count: string }>("SELECT count(*) FROM audit_entries");
  const first = Number(present.rows[0]?.count);
  for (let filled = first; filled < target; filled += perTransaction)
    await database.transaction(async (tx) => {
      const entries = Array.from({ length: perTransaction }, (_, index) => fact(filled + index));
      await Promise.all(entries.map((entry) => appendAudit(tx, entry)));
    });
  const sequencedMs = await timed(() => sequenceAudit(database, TENANT));
  say(`${target - first} entries got their places in ${(sequencedMs / 1000).toFixed(1)} s`);
  let peakMebibytes = 0;
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const watch = setInterval(() => {
    peakMebibytes = Math.max(peakMebibytes, (process.memoryUsage.rss() - before) / 2 ** 20);
  }, 20);
  let size = 0;
  const tookMs = await timed(async () => {
    const verified = await verifyAudit(database, TENANT);
    must(verified.ok && verified.size >= target, `the whole log is verified: ${JSON.stringify(verified.problem)}`);
    size = verified.size;
  });
  clearInterval(watch);
  const readMs = await timed(() => database.query("SELECT sum(length(entry)) FROM audit_entries"));
  const none = { peer: "none: what is read back and hashed is ours alone", peerValue: null, aim: null };
  return [
    {
      ...{ name: `audit verification, ${size} entries`, value: (size / tookMs) * 1000, unit: "/s" },
      ...{ peer: "PostgreSQL summing their lengths", peerValue: (size / readMs) * 1000, aim: null },
    },
    { ...none, name: `audit verification, memory on top for ${size} entries`, value: peakMebibytes, unit: "MiB" },
  ];
}

function notaryParts(database: Database, folder: string): NotaryParts {
  const { nowMs, log } = proposingParts(database);
  const signer = checkpointSigner({ current: Buffer.alloc(32, 1) });
  const archives = [directoryArchive({ root: folder })];
  const checkpoints = { signer: async () => signer, archives, witnessKeys: [], intervalMs: 1000 };
  return { database, nowMs, log, checkpoints };
}

/** Proofs that single entries stand in the log and that it grew out of an earlier one, each read anew and verified. */
async function proofs(database: Database, { size, count }: { size: number; count: number }): Promise<Figure> {
  const tree = await readAuditTree(database, TENANT);
  must(tree !== undefined && tree.size >= size, "the log has its head");
  const random = seededRandom(7);
  await ensureNodes(database, TENANT, tree.size);
  const tookMs = await timed(async () => {
    for (let made = 0; made < count; made += 1) {
      const position = Math.floor(random() * tree.size);
      const rows = await positionedEntries(database, { tenant: TENANT, fromPosition: position, limit: 1 });
      const [proof] = await proveRows(database, { tenant: TENANT, head: tree }, rows);
      must(proof?.position === position, "the proof is of that entry");
    }
  });
  const earlier = Math.floor(tree.size / 3);
  const read = nodeReader(database, TENANT);
  const root = await rootNow(read, earlier);
  const proof = await proveConsistency(nodeReader(database, TENANT), { earlier, later: tree.size });
  const later = { size: tree.size, rootHash: tree.root };
  must(
    verifyConsistency({ earlier: { size: earlier, rootHash: root }, later, proof }),
    "the log grew out of its third",
  );
  const hashesMs = await timed(() =>
    database.query("SELECT leaf_hash FROM audit_entries WHERE tenant = $1 AND position < $2 ORDER BY position", [
      ...[TENANT, tree.size],
    ]),
  );
  return {
    ...{ name: `audit proofs of single entries, log of ${tree.size}`, value: (count / tookMs) * 1000, unit: "/s" },
    ...{ peer: "reading every leaf hash once, as a proof did before", peerValue: 1000 / hashesMs, aim: null },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
