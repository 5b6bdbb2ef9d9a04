import { afterAll, beforeAll, expect, test } from "vitest";
import { appendLeaf, EMPTY_FRONTIER, type Frontier, rootFromFrontier } from "../core/audit/merkle.ts";
import { verifyConsistency } from "../core/audit/merkle-proof.ts";
import { verifyEntryProof } from "../core/audit/proof.ts";
import { readAuditTree } from "../store/queries/audit.ts";
import { nodeCount, nodesBetween } from "../store/queries/audit-nodes.ts";
import { appendAudit, proveAudit, sequenceAudit } from "./audit-log.ts";
import { ensureNodes, nodeReader, proveConsistency, rootNow } from "./audit-tree.ts";
import { verifyAudit } from "./audit-verify.ts";
import { SYSTEM } from "./engine.ts";
import { type EngineFixture, engineFixture, TENANT } from "./testing/engine-fixture.ts";

let on: EngineFixture;
beforeAll(async () => {
  on = await engineFixture();
});
afterAll(() => on.close());

async function append(from: number, count: number): Promise<void> {
  await on.database.transaction(async (tx) => {
    await Promise.all(
      Array.from({ length: count }, (_, at) =>
        appendAudit(tx, {
          ...{ tenant: TENANT, atMs: 1_790_000_000_000, actor: SYSTEM, action: "endpoint.observe" },
          ...{ subject: `endpoint:${from + at}`, outcome: "accepted", details: { count: from + at } },
        }),
      ),
    );
  });
}

async function expectProofs(size: number): Promise<void> {
  for (const subject of [0, 255, 256, 511, size - 1]) {
    const { root, entries, ...proved } = await proveAudit(on.database, {
      ...{ tenant: TENANT, subject: String(subject), limit: 1 },
    });
    expect(proved.size).toBe(size);
    const [entry] = entries;
    expect(entry && verifyEntryProof(entry, { size, rootHash: root })).toEqual({ ok: true });
  }
}

test("many sequencers at once leave one order, its nodes, and proofs that hold", async () => {
  await Promise.all(
    Array.from({ length: 6 }, async (_, lane) => {
      for (const part of [0, 1, 2]) {
        await append(lane * 150 + part * 50, 50);
        await sequenceAudit(on.database, TENANT);
      }
    }),
  );
  expect(await nodeCount(on.database, TENANT, 1)).toBe(3);
  expect(await verifyAudit(on.database, TENANT)).toMatchObject({ ok: true, size: 900 });
  await expectProofs(900);
});

test("a log of before there were nodes gets them with the first question or the next entries", async () => {
  const forget = () =>
    on.database.transaction(async (tx) => {
      await tx.query("SET LOCAL session_replication_role = replica");
      await tx.query("DELETE FROM audit_nodes");
    });
  await forget();
  await expectProofs(900);
  expect(await nodeCount(on.database, TENANT, 1)).toBe(3);
  await forget();
  await append(900, 150);
  await sequenceAudit(on.database, TENANT);
  expect(await nodeCount(on.database, TENANT, 1)).toBe(4);
  expect(await verifyAudit(on.database, TENANT)).toMatchObject({ ok: true, size: 1050 });
});

test("growth is proved between any two sizes, and roots are those of the time", async () => {
  const tree = await readAuditTree(on.database, TENANT);
  await ensureNodes(on.database, TENANT, tree?.size ?? 0);
  const leaves = await nodesBetween(on.database, { tenant: TENANT, level: 0, from: 0, until: 1050 });
  const rootAt = (size: number) => rootFromFrontier(leaves.slice(0, size).reduce<Frontier>(appendLeaf, EMPTY_FRONTIER));
  const read = nodeReader(on.database, TENANT);
  for (const earlier of [1, 255, 256, 300, 512, 1049, 1050]) {
    const earlierRoot = await rootNow(read, earlier);
    expect(earlierRoot).toEqual(rootAt(earlier));
    const proof = await proveConsistency(read, { earlier, later: 1050 });
    const claim = {
      earlier: { size: earlier, rootHash: earlierRoot },
      later: { size: 1050, rootHash: rootAt(1050) },
      proof,
    };
    expect(verifyConsistency(claim)).toBe(true);
  }
});

test("a proof that would not hold is none", async () => {
  await on.database.transaction(async (tx) => {
    await tx.query("SET LOCAL session_replication_role = replica");
    await tx.query("UPDATE audit_nodes SET hash = sha256('x'::bytea) WHERE index = 1");
  });
  const question = { tenant: TENANT, subject: "3", limit: 1 };
  await expect(proveAudit(on.database, question)).rejects.toMatchObject({ code: "audit-broken" });
});
