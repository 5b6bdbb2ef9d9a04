import type { Database } from "../../../../src/store/database.ts";

/** One effect as the target itself wrote it down, in the order in which it kept them. */
export interface JournalEntry {
  /** `tenant/environment-name` on its target. */
  endpoint: string;
  key: string;
  generation: number;
  /** False when the target found it done. */
  done: boolean;
}

/** What the data plane wrote into the installation's log. */
export function localJournal(log: string): JournalEntry[] {
  return log.split("\n").flatMap((line) => {
    if (!/"msg":"effect (done|known)"/.test(line)) return [];
    const { tenant, endpoint, effect, generation, msg } = JSON.parse(line) as Record<string, string | number>;
    return [
      {
        endpoint: `local ${tenant}/${endpoint}`,
        key: String(effect),
        generation: Number(generation),
        done: msg === "effect done",
      },
    ];
  });
}

/**
 * The simulated target has no log; a trigger on its table writes down each key that is new in it, by its
 * owner's right: the login of the workers has none on this table.
 */
export async function keepSimulatedJournal(database: Database): Promise<void> {
  await database.query(`
    CREATE TABLE chaos_journal (id bigserial PRIMARY KEY, endpoint text, key text, generation bigint);
    CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN
        INSERT INTO chaos_journal (endpoint, key, generation)
          SELECT NEW.key, done, (NEW.state ->> 'generation')::bigint
          FROM jsonb_array_elements_text(NEW.state -> 'doneKeys') done
          WHERE TG_OP = 'INSERT' OR NOT (OLD.state -> 'doneKeys') ? done;
        RETURN NEW;
      END $$;
    CREATE TRIGGER chaos_note AFTER INSERT OR UPDATE ON simulated_state FOR EACH ROW EXECUTE FUNCTION chaos_note();`);
}

export async function simulatedJournal(database: Database): Promise<JournalEntry[]> {
  const { rows } = await database.query<{ endpoint: string; key: string; generation: number }>(
    "SELECT endpoint, key, generation FROM chaos_journal ORDER BY id",
  );
  return rows.map(({ endpoint, key, generation }) => ({
    ...{ endpoint: `simulated ${endpoint}`, key, generation: Number(generation), done: true },
  }));
}

/** What a target's own account says that must not be: an effect twice, or one that came after a newer one. */
export function brokenJournal(entries: readonly JournalEntry[]): string[] {
  const broken: string[] = [];
  const done = new Set<string>();
  const newest = new Map<string, JournalEntry>();
  for (const entry of entries) {
    const { endpoint, key, generation } = entry;
    const before = newest.get(endpoint);
    if (before !== undefined && generation < before.generation)
      broken.push(`${endpoint}: ${key} of generation ${generation} came after ${before.key} of ${before.generation}`);
    newest.set(endpoint, entry);
    if (!entry.done) continue;
    if (done.has(`${endpoint} ${key}`)) broken.push(`${endpoint}: ${key} was done twice`);
    done.add(`${endpoint} ${key}`);
  }
  return broken;
}

const EFFECTS = ["provision", "shift", "promote", "rollback"];

/** What the control plane takes for done and no target knows of. */
export async function unknownToTargets(database: Database, entries: readonly JournalEntry[]): Promise<string[]> {
  const known = new Set(entries.map(({ key }) => key));
  const { rows } = await database.query<{ rollout: string; cause: string }>(
    `SELECT rollout, cause FROM rollout_events WHERE cause LIKE 'answer/%'
       AND type IN ('provisioned', 'shifted', 'promoted', 'rolled-back')`,
  );
  return rows.flatMap(({ rollout, cause }) => {
    const [, sequence, command = ""] = cause.split("/");
    const key = `${rollout}/${sequence}/${command}`;
    return EFFECTS.includes(command) && !known.has(key) ? [`${key} was answered, and no target did it`] : [];
  });
}
