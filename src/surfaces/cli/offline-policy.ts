import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import { ContinuumError, type Parsed } from "../../core/error.ts";
import type { PolicySettings, PriceTable } from "../../core/policy/decision.ts";
import { isTableFile } from "../../core/policy/decision-table.ts";
import { loadPolicySet } from "../../core/policy/load-policy-set.ts";
import type { PolicyFile, PolicySet } from "../../core/policy/policy.ts";
import { parseSettings } from "../../core/policy/settings.ts";
import { parsePriceTable } from "../../core/pricing/price-table.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { pathOf } from "./files.ts";

/** What decides without a server: the shipped set, alone or with a user's own policies beside it. */
export interface OfflinePolicy {
  set: PolicySet;
  settings: PolicySettings;
  prices: PriceTable;
}

export function shippedFiles(): PolicyFile[] {
  return readPolicyFiles(shippedPolicyFolder());
}

/** The files of a user's folder. */
export function ownFiles(context: CommandContext, folder: string, where: string): PolicyFile[] {
  const right = "must be a folder of .cedar files and decision tables";
  let files: PolicyFile[];
  try {
    files = readPolicyFiles(pathOf(context, folder));
  } catch (error) {
    if (!(error instanceof ContinuumError)) throw error;
    throw malformed("no such folder", `${where} ${folder}`, right);
  }
  // A folder that was named by mistake would otherwise pass as one in which nothing is wrong.
  if (!files.some((file) => isTableFile(file) || /(\.cedar|(^|\/)settings\.json)$/.test(file.path)))
    throw malformed("a folder without a policy", `${where} ${folder}`, right);
  return files;
}

export function loadOfflinePolicy(options: {
  shipped: readonly PolicyFile[];
  own?: { files: readonly PolicyFile[]; folder: string };
}): OfflinePolicy {
  const { shipped, own } = options;
  const set = loadPolicySet(shipped, own === undefined ? {} : { own: own.files });
  if (!set.ok)
    throw malformed("bad policies", own?.folder ?? "the shipped set", `${set.problem.path}:${set.problem.message}`);
  return {
    set: set.value,
    settings: shippedData(shipped, "settings.json", parseSettings),
    prices: shippedData(shipped, "prices.json", parsePriceTable),
  };
}

/** A file that comes with the program: when it is broken the installation is, and no user's mistake. */
export function shippedData<T>(files: readonly PolicyFile[], path: string, parse: (text: string) => Parsed<T>): T {
  const text = files.find((file) => file.path === path)?.text;
  const parsed = text === undefined ? undefined : parse(text);
  if (parsed?.ok === true) return parsed.value;
  throw new ContinuumError(
    "policies-unreadable",
    `the package's policies/${path} is ${parsed?.problem.message ?? "missing"}; install it again`,
  );
}

/** The policy that `--policy` asks for: the shipped set, and the user's folder beside it when one is named. */
export function policyOf(context: CommandContext): OfflinePolicy {
  const folder = context.text("policy");
  const shipped = shippedFiles();
  return loadOfflinePolicy(
    folder === undefined ? { shipped } : { shipped, own: { folder, files: ownFiles(context, folder, "--policy") } },
  );
}
