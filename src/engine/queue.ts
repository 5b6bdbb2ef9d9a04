import type { Rollout } from "../core/rollout/rollout.ts";
import type { Database } from "../store/database.ts";
import { dequeueNext, tell } from "./commit.ts";
import type { CommittedEvent, EngineParts } from "./engine.ts";

/** The safety net: rollouts that are queued although their endpoint is free get their turn. Answers how many looked. */
export async function dequeueForgotten(parts: EngineParts): Promise<number> {
  const slots = await forgottenSlots(parts.database);
  for (const slot of slots) {
    const facts: CommittedEvent[] = [];
    await parts.database.transaction((tx) => {
      facts.length = 0;
      return dequeueNext(tx, parts, slot, facts);
    });
    for (const fact of facts) tell(parts, fact);
  }
  return slots.length;
}

async function forgottenSlots(database: Database): Promise<Pick<Rollout, "tenant" | "endpoint">[]> {
  const { rows } = await database.query<{ tenant: string } & Rollout["endpoint"]>(
    `SELECT DISTINCT tenant, environment, target, name FROM rollouts queued
     WHERE phase = 'Queued' AND NOT terminal AND NOT EXISTS (
       SELECT 1 FROM rollouts holder WHERE holder.active AND holder.tenant = queued.tenant
         AND holder.environment = queued.environment AND holder.target = queued.target AND holder.name = queued.name)`,
  );
  return rows.map(({ tenant, ...endpoint }) => ({ tenant, endpoint }));
}
