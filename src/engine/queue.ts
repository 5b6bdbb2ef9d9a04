import type { Rollout } from "../core/rollout/rollout.ts";
import type { Database } from "../store/database.ts";
import { StoreError } from "../store/store-error.ts";
import { dequeueNext, tell } from "./commit.ts";
import type { CommittedEvent, EngineParts } from "./engine.ts";

/** The safety net: rollouts that are queued although their endpoint is free get their turn. Answers how many looked. */
export async function dequeueForgotten(parts: EngineParts): Promise<number> {
  const slots = await forgottenSlots(parts.database);
  await giveSlots(parts, slots);
  return slots.length;
}

/** Gives those of these slots for which a rollout waits to the next in their queue. */
export async function dequeueAt(parts: EngineParts, freed: readonly Slot[]): Promise<void> {
  const { rows } = await parts.database.query<{ tenant: string } & Rollout["endpoint"]>(
    `SELECT DISTINCT tenant, environment, target, name FROM rollouts
       JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS freed (tenant, environment, target, name)
         USING (tenant, environment, target, name)
     WHERE NOT terminal AND phase = 'Queued'`,
    [
      ...[freed.map(({ tenant }) => tenant), freed.map(({ endpoint }) => endpoint.environment)],
      ...[freed.map(({ endpoint }) => endpoint.target), freed.map(({ endpoint }) => endpoint.name)],
    ],
  );
  await giveSlots(
    parts,
    rows.map(({ tenant, ...endpoint }) => ({ tenant, endpoint })),
  );
}

type Slot = Pick<Rollout, "tenant" | "endpoint">;

/** A queue whose next one cannot be decided holds up no other queue. */
async function giveSlots(parts: EngineParts, slots: readonly Slot[]): Promise<void> {
  for (const slot of slots) {
    try {
      await giveSlot(parts, slot);
    } catch (error) {
      if (error instanceof StoreError && error.retryable) throw error;
      const { environment, name } = slot.endpoint;
      const facts = { tenant: slot.tenant, endpoint: `${environment}-${name}`, reason: String(error) };
      parts.log.error("dequeue-failed", facts);
    }
  }
}

async function giveSlot(parts: EngineParts, slot: Slot): Promise<void> {
  const facts: CommittedEvent[] = [];
  await parts.database.transaction((tx) => {
    facts.length = 0;
    return dequeueNext(tx, parts, slot, facts);
  });
  for (const fact of facts) tell(parts, fact);
}

async function forgottenSlots(database: Database): Promise<Slot[]> {
  const { rows } = await database.query<{ tenant: string } & Rollout["endpoint"]>(
    `SELECT DISTINCT tenant, environment, target, name FROM rollouts queued
     WHERE phase = 'Queued' AND NOT terminal AND NOT EXISTS (
       SELECT 1 FROM rollouts holder WHERE holder.active AND holder.tenant = queued.tenant
         AND holder.environment = queued.environment AND holder.target = queued.target AND holder.name = queued.name)`,
  );
  return rows.map(({ tenant, ...endpoint }) => ({ tenant, endpoint }));
}
