import { type AuditFact, appendAudit, sequenceAudit } from "../src/engine/audit-log.ts";
import { verifyAudit } from "../src/engine/audit-verify.ts";
import { SYSTEM } from "../src/engine/engine.ts";
import { TENANT } from "../src/engine/testing/engine-fixture.ts";
import type { Database } from "../src/store/database.ts";
import { benchDatabase } from "./database.ts";
import { type Figure, type Measurement, must } from "./measure.ts";

/** The audit log beside a plain table with the same columns but no tree, no hash and no order. */
export const measureAudit: Measurement = async ({ quick, say }) => {
  const on = await benchDatabase("audit");
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
    const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
    const append: Figure = {
      ...{ name: "audit appends per second, one a transaction", value: mean(ours), unit: "/s" },
      ...{ peer: "plain INSERT, one a transaction", peerValue: mean(theirs), aim: null },
    };
    const figures = [append];
    for (const target of quick ? [5_000] : [10_000, 100_000, 1_000_000])
      figures.push(...(await verification(on.database, { target, say })));
    return figures;
  } finally {
    await on.close();
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

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
