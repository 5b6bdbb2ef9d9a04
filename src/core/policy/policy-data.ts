import type { Parsed } from "../error.ts";
import { parsePriceTable } from "../pricing/price-table.ts";
import type { PolicySettings, PriceTable } from "./decision.ts";
import type { PolicyFile } from "./policy.ts";
import { parseSettings } from "./settings.ts";

/** What policies are decided with, beside the policies themselves. */
export interface PolicyData {
  settings: PolicySettings;
  prices: PriceTable;
}

/**
 * The settings and prices of a set's files. A user's own `own/settings.json` or `own/prices.json` stands for the shipped
 * one as a whole. The problem's path is the file.
 */
export function policyDataOf(files: readonly PolicyFile[]): Parsed<PolicyData> {
  const settings = dataFile(files, "settings.json", parseSettings);
  if (!settings.ok) return settings;
  const prices = dataFile(files, "prices.json", parsePriceTable);
  if (!prices.ok) return prices;
  return { ok: true, value: { settings: settings.value, prices: prices.value } };
}

function dataFile<T>(files: readonly PolicyFile[], name: string, parse: (text: string) => Parsed<T>): Parsed<T> {
  const file = files.find(({ path }) => path === `own/${name}`) ?? files.find(({ path }) => path === name);
  if (file === undefined) return { ok: false, problem: { path: name, message: "is missing" } };
  const parsed = parse(file.text);
  if (parsed.ok) return parsed;
  const { path, message } = parsed.problem;
  return { ok: false, problem: { path: file.path, message: path === "" ? message : `${path}: ${message}` } };
}
