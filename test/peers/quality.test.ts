import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/core/policy/testing/random-decisions.ts";
import { checkGolden, type Golden } from "../fixtures/quality/check-golden.ts";

/** Fresh random data sets at every run; `CONTINUUM_PEER_SEED` repeats one. */
const PYTHON = process.env["CONTINUUM_PEER_PYTHON"] ?? "python3";
const SEED = Number(process.env["CONTINUUM_PEER_SEED"] ?? randomInt(2 ** 31));
const PROGRAM = fileURLToPath(new URL("../fixtures/quality/make_goldens.py", import.meta.url));
const hasPeer = spawnSync(PYTHON, ["-c", "import sklearn.metrics"], { stdio: "ignore" }).status === 0;
const WHY_SKIPPED = hasPeer ? "" : ` (skipped: ${PYTHON} cannot import sklearn)`;

type Given = Pick<Golden, "kind" | "case">;

/** Of positive labels. */
const SHARES = [0.5, 0.05, 0.3, 0, 1];

/** Small and larger tables, with ties, with one class alone, with constants, with huge and tiny numbers. */
function randomCases(seed: number): Given[] {
  const random = seededRandom(seed);
  const many = <T>(n: number, one: (at: number) => T) => Array.from({ length: n }, (_, at) => one(at));
  const whole = (below: number) => Math.floor(random() * below);
  return many(60, (at): Given => {
    const n = 2 + whole(at % 3 === 0 ? 12 : 300);
    const labels = many(n, () => (random() < (SHARES[at % SHARES.length] ?? 0) ? 1 : 0));
    if (at % 4 === 0) {
      const levels = [2, 7, 1000, 1e9][whole(4)] ?? 2;
      const scores = many(n, () => Math.floor(random() * (levels + 1)) / levels);
      return { kind: "binary", case: { labels, scores, threshold: 0.5 } };
    }
    if (at % 4 === 1) {
      const classes = 1 + whole(6);
      const name = () => `c${whole(classes)}`;
      return { kind: "multiclass", case: { labels: many(n, name), predictions: many(n, name) } };
    }
    if (at % 4 === 2) {
      const scale = 10 ** (whole(13) - 6);
      const values = () => many(n, () => scale * (random() - 0.5));
      return { kind: "regression", case: { labels: values(), predictions: values() } };
    }
    const facet = many(n, (row) => (row === 0 ? "m" : row === 1 ? "f" : (["m", "f", "x"][whole(3)] ?? "x")));
    const rows = { group: many(n, () => `g${whole(3)}`), predictions: many(n, () => whole(2)) };
    const features = many(n, () => many(3, () => random()));
    return { kind: "bias", case: { facet, favoured: ["m"], labels, features, ...rows } };
  });
}

describe(`scikit-learn and AWS's definitions${WHY_SKIPPED}`, () => {
  test.skipIf(!hasPeer)(`agree with ours on random data sets, seed ${SEED}`, () => {
    const run = spawnSync(PYTHON, ["-W", "ignore", PROGRAM, "live"], {
      input: JSON.stringify(randomCases(SEED)),
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    expect(run.stderr).toBe("");
    const goldens = JSON.parse(run.stdout) as Golden[];
    expect(goldens).toHaveLength(60);
    for (const golden of goldens) checkGolden(golden);
  });
});
