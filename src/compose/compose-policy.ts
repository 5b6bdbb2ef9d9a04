import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readPolicyFiles, shippedPolicyFolder } from "../config/policy-files.ts";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import { loadPolicySet, policyDigestOf, programFiles } from "../core/policy/load-policy-set.ts";
import type { PolicyFile, PolicySet } from "../core/policy/policy.ts";
import { policyDataOf } from "../core/policy/policy-data.ts";
import { protectionProblems } from "../core/policy/protected-clauses.ts";
import { createSecretFile } from "../drivers/secrets/local/create-secret-file.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import type { EngineParts } from "../engine/engine.ts";
import { policyDifferences, requirePolicyInForce } from "../engine/policy-start.ts";
import type { Database } from "../store/database.ts";

/**
 * When the policies are parsed and validated. The API does it as it starts, so that a set that cannot be used stops the
 * start. A worker decides only at gates: it does so at its first one, and a set that cannot be used fails that gate, and
 * every one after it. Either way the files are read now: what changes afterwards is not mixed in.
 */
export type PolicyLoading = "now" | "when-asked";

/** The files that this program has: the shipped ones, with the operator's own beside or instead of them. */
export function programPolicyFiles(policyDir: string | undefined): PolicyFile[] {
  const shipped = readPolicyFiles(shippedPolicyFolder());
  return policyDir === undefined ? shipped : programFiles(shipped, readPolicyFiles(policyDir));
}

/**
 * What this program would decide with: what a tenant starts with, and what its policies stand on afterwards. Errors:
 * `policy-unusable`, `policies-unreadable`.
 */
export async function composePolicy({
  load,
  policyDir,
}: {
  load: PolicyLoading;
  policyDir?: string | undefined;
}): Promise<Pick<EngineParts, "policySet" | "prices" | "defaultSettings">> {
  const files = programPolicyFiles(policyDir);
  const data = policyDataOf(files);
  if (!data.ok) throw policyUnusable(`${data.problem.path}: ${data.problem.message}`);
  const { settings: defaultSettings, prices } = data.value;
  const usable = () => usableSet(files, policyDir);
  return { policySet: load === "now" ? usable() : whenAsked(files, usable), prices, defaultSettings };
}

function usableSet(files: readonly PolicyFile[], policyDir: string | undefined): PolicySet {
  const set = loaded(files);
  if (policyDir === undefined) return set;
  const [problem] = protectionProblems(loaded(readPolicyFiles(shippedPolicyFolder())), set);
  if (problem !== undefined) throw policyUnusable(`${policyDir}: ${problem}`);
  return set;
}

function loaded(files: readonly PolicyFile[]): PolicySet {
  const set = loadPolicySet(files);
  if (!set.ok) throw policyUnusable(`${set.problem.path}: ${set.problem.message}`);
  return set.value;
}

/** A set that is loaded when somebody looks at what the files mean; a failure is thrown at every look. */
function whenAsked(files: readonly PolicyFile[], load: () => PolicySet): PolicySet {
  const told: Partial<PolicySet> = { digest: policyDigestOf(files), files };
  let set: PolicySet | undefined;
  return new Proxy(told as PolicySet, {
    get: (_, name) => {
      if (name in told) return Reflect.get(told, name);
      set ??= load();
      return Reflect.get(set, name);
    },
  });
}

function policyUnusable(why: string): ContinuumError<"policy-unusable"> {
  return new ContinuumError("policy-unusable", `The policy set cannot be used, so nothing can be decided: ${why}`);
}

/**
 * Whether the program's files are those in force, as the start must know; `keep-active` says so in the log and goes on.
 * Errors: `policy-differs`.
 */
export async function checkPolicyInForce(
  database: Database,
  config: Config,
  log: Pick<EngineParts["log"], "warn">,
): Promise<void> {
  const { policyDir, tenant, policy } = config;
  const program = { files: programPolicyFiles(policyDir), policyDir, tenant };
  if (policy.onDifference === "refuse") return requirePolicyInForce(database, program);
  for (const difference of await policyDifferences(database, program))
    log.warn("policy-differs", { tenant: difference.tenant, reason: difference.message });
}

/** The 32 bytes that the key of policy bundles is made of; made at the first start, unless they are kept elsewhere. */
export async function policyBundleSecret(config: Config): Promise<Uint8Array> {
  const { keyReference } = config.policy;
  const folder = join(config.dataDir, "keys");
  if (keyReference === `file:${join(folder, "policy.key")}`) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createSecretFile(join(folder, "policy.key"), randomBytes(32));
  }
  return localSecrets({ environment: process.env }).read(keyReference);
}
