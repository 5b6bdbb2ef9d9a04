import type { Parsed } from "../error.ts";
import { parsePriceTable } from "../pricing/price-table.ts";
import { isTableFile, parseTable } from "./decision-table.ts";
import { loadPolicySet } from "./load-policy-set.ts";
import type { PolicyFile } from "./policy.ts";
import { type CaseResult, parseBases, runTable } from "./run-table.ts";
import { parseSettings } from "./settings.ts";

/**
 * Runs the decision tables of `own` against the shipped set with `own` beside it; without `own`, the shipped tables. A
 * folder's own `settings.json`, `prices.json` and `bases.yaml` take the place of the shipped ones. The problem is that
 * of the first file that cannot be read.
 */
export function testPolicies(shipped: readonly PolicyFile[], own?: readonly PolicyFile[]): Parsed<CaseResult[]> {
  const set = loadPolicySet(shipped, own === undefined ? {} : { own });
  if (!set.ok) return set;
  const read = <T>(path: string, parse: (text: string) => Parsed<T>) =>
    readOne({ path, shipped, own: own ?? [] }, parse);
  const settings = read("settings.json", parseSettings);
  if (!settings.ok) return settings;
  const prices = read("prices.json", parsePriceTable);
  if (!prices.ok) return prices;
  const bases = read("bases.yaml", parseBases);
  if (!bases.ok) return bases;
  const ground = { set: set.value, settings: settings.value, prices: prices.value, bases: bases.value };
  const results: CaseResult[] = [];
  for (const file of (own ?? shipped).filter(isTableFile)) {
    const table = parseTable(file);
    if (!table.ok) return table;
    results.push(...runTable(ground, table.value));
  }
  return { ok: true, value: results };
}

function readOne<T>(
  where: { path: string; shipped: readonly PolicyFile[]; own: readonly PolicyFile[] },
  parse: (text: string) => Parsed<T>,
): Parsed<T> {
  const { path, shipped, own } = where;
  const file = own.find((one) => one.path === path) ?? shipped.find((one) => one.path === path);
  if (file === undefined) return { ok: false, problem: { path, message: "the file is missing" } };
  const parsed = parse(file.text);
  return parsed.ok ? parsed : { ok: false, problem: { path, message: parsed.problem.message } };
}
