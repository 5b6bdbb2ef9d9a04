import { join } from "node:path";
import { readPolicyFiles, shippedPolicyFolder } from "../config/policy-files.ts";
import { ContinuumError } from "../core/error.ts";
import { loadPolicySet } from "../core/policy/load-policy-set.ts";
import type { PolicyFile, PolicySet } from "../core/policy/policy.ts";
import { parseSettings } from "../core/policy/settings.ts";
import { filePrices } from "../drivers/prices/file/file-prices.ts";
import type { EngineParts } from "../engine/engine.ts";

/**
 * When the policies are parsed and validated. The API does it as it starts, so that a set that cannot be used stops the
 * start. A worker decides only at gates: it does so at its first one, and a set that cannot be used fails that gate, and
 * every one after it. Either way the files are read now: what changes afterwards is not mixed in.
 */
export type PolicyLoading = "now" | "when-asked";

/** What decides: the set, the prices, the settings. Errors: `policy-unusable`. */
export async function composePolicy({
  load,
  folder = shippedPolicyFolder(),
}: {
  load: PolicyLoading;
  folder?: string;
}): Promise<Pick<EngineParts, "policySet" | "prices" | "defaultSettings">> {
  const files = readPolicyFiles(folder);
  const policySet = load === "now" ? usable(files) : whenAsked(() => usable(files));
  const settings = parseSettings(files.find(({ path }) => path === "settings.json")?.text ?? "");
  if (!settings.ok) throw policyUnusable(`settings.json: ${settings.problem.message}`);
  const prices = await filePrices(join(folder, "prices.json")).read();
  return { policySet, prices, defaultSettings: settings.value };
}

function usable(files: readonly PolicyFile[]): PolicySet {
  const set = loadPolicySet(files);
  if (!set.ok) throw policyUnusable(`${set.problem.path}: ${set.problem.message}`);
  return set.value;
}

/** A set that is loaded when somebody looks into it; a failure is thrown at every look. */
function whenAsked(load: () => PolicySet): PolicySet {
  let set: PolicySet | undefined;
  return new Proxy({} as PolicySet, {
    get: (_, name) => {
      set ??= load();
      return Reflect.get(set, name);
    },
  });
}

function policyUnusable(why: string): ContinuumError<"policy-unusable"> {
  return new ContinuumError("policy-unusable", `The policy set cannot be used, so nothing can be decided: ${why}`);
}
