import { createHash } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { ScoreBet, type ScoreBetState } from "../../core/monitor/judge/score-bet.ts";
import { UrnDrift, type UrnDriftState } from "../../core/monitor/judge/urn-drift.ts";
import type { ColumnProfile } from "../../core/monitor/sketch/column-profile.ts";

/** What is stored of a version's tests on one host. */
interface StoredTests {
  form: 1;
  /** By column. */
  urns: Record<string, UrnDriftState>;
  scores: ScoreBetState;
  evidence: StoredEvidence;
}

interface StoredEvidence {
  /** By column: the evidence, and the rows that it rests on. */
  urns: Record<string, readonly [number, number]>;
  scores: TestEvidence["scores"];
}

/** What the tests of one host say, for whoever adds the hosts up. */
export interface TestEvidence {
  /** By column: only those that can be tested. */
  urns: ReadonlyMap<string, { evidence: number; rows: number }>;
  scores: { evidence: number; candidate: number; stable: number };
}

const DIRECTION = { direction: "any" } as const;

/**
 * The tests of a version on one host that go on from request to request: an urn for each column of its baseline, and
 * the bet on which arm gave an answer. They have seen exactly the rows that the stored offset has passed.
 */
export class VersionTests {
  /** In the order of the profiles; null for a column that cannot be tested. */
  readonly #urns: readonly (UrnDrift | null)[];
  readonly #profiles: readonly ColumnProfile[];
  readonly scores: ScoreBet;

  private constructor(profiles: readonly ColumnProfile[], urns: readonly (UrnDrift | null)[], scores: ScoreBet) {
    this.#profiles = profiles;
    this.#urns = urns;
    this.scores = scores;
  }

  /** `seed` names the version and the host: two hosts must not draw alike. */
  static begin(profiles: readonly ColumnProfile[], seed: string): VersionTests {
    const urns = profiles.map((profile) => UrnDrift.of(profile, seedOf(seed, profile.name)));
    return new VersionTests(profiles, urns, new ScoreBet(DIRECTION));
  }

  /** A column whose baseline is another one now begins anew. */
  static restore(profiles: readonly ColumnProfile[], from: { seed: string; bytes: Uint8Array }): VersionTests {
    const stored = storedTests(from.bytes);
    const urns = profiles.map((profile) => {
      const state = Object.hasOwn(stored.urns, profile.name) ? stored.urns[profile.name] : undefined;
      return state === undefined ? UrnDrift.of(profile, seedOf(from.seed, profile.name)) : restored(profile, state);
    });
    return new VersionTests(profiles, urns, ScoreBet.fromState(DIRECTION, stored.scores));
  }

  /** A value as the column's profile has it: a finite number, or a category. */
  update(column: number, value: number | string): void {
    this.#urns[column]?.update(value);
  }

  encode(): Uint8Array {
    const urns = byName<UrnDriftState>();
    const evidence = byName<readonly [number, number]>();
    for (const [at, { name }] of this.#profiles.entries()) {
      const urn = this.#urns[at];
      if (!urn) continue;
      urns[name] = urn.toState();
      evidence[name] = [urn.evidence, urn.rows];
    }
    const scores = { evidence: this.scores.evidence, ...this.scores.samples };
    const stored: StoredTests = { form: 1, urns, scores: this.scores.toState(), evidence: { urns: evidence, scores } };
    return deflateRawSync(JSON.stringify(stored), { level: 1 });
  }
}

/** A column may be called as something that every other object has. */
function byName<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

/** What stored tests of any host say, without the profiles that they were made against. */
export function storedEvidence(bytes: Uint8Array): TestEvidence {
  const { urns, scores } = storedTests(bytes).evidence;
  return {
    urns: new Map(Object.entries(urns).map(([column, [evidence, rows]]) => [column, { evidence, rows }])),
    scores,
  };
}

function storedTests(bytes: Uint8Array): StoredTests {
  const stored = JSON.parse(inflateRawSync(bytes).toString("utf8")) as StoredTests;
  if (stored.form !== 1) throw new Error("broken invariant: tests are stored in a form that this program wrote");
  return stored;
}

function restored(profile: ColumnProfile, state: UrnDriftState): UrnDrift | null {
  try {
    return UrnDrift.fromState(profile, state);
  } catch (error) {
    // Evidence against another baseline is none against this one.
    if (error instanceof RangeError) return UrnDrift.of(profile, state.seed);
    throw error;
  }
}

function seedOf(seed: string, column: string): number {
  return createHash("sha256").update(`${seed}\n${column}`).digest().readUInt32LE(0);
}
