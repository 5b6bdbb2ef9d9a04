import { ContinuumError } from "../core/error.ts";
import { baseDigestOf, policyDigestOf } from "../core/policy/load-policy-set.ts";
import type { PolicyFile } from "../core/policy/policy.ts";
import type { Queryable } from "../store/database.ts";
import { listActivePolicies } from "../store/queries/policy-versions.ts";

export type PolicyStartErrorCode = "policy-differs";

export interface ProgramPolicy {
  files: readonly PolicyFile[];
  /** The operator's folder, when one is named. */
  policyDir: string | undefined;
  /** The tenant that the folder is for. */
  tenant: string;
}

/** One sentence for each tenant whose policy in force is not what this program's files say. */
export async function policyDifferences(
  db: Queryable,
  program: ProgramPolicy,
): Promise<{ tenant: string; message: string }[]> {
  const digest = policyDigestOf(program.files);
  const baseDigest = baseDigestOf(program.files);
  const from = program.policyDir === undefined ? "the package" : `policyDir ${program.policyDir}`;
  const active = await listActivePolicies(db);
  return active
    .filter((row) => {
      // What people activated lies in the database: the files must be what it stands on, unless a folder says all of it.
      const saysAll = program.policyDir !== undefined && row.tenant === program.tenant;
      return row.digest !== digest && (saysAll || row.baseDigest !== baseDigest);
    })
    .map(({ tenant, digest: inForce, baseDigest: standsOn }) => {
      const standing = standsOn === inForce ? "" : ` (which stands on ${standsOn})`;
      const message = `The policy in force for the tenant ${tenant} is ${inForce}${standing}; the files of ${from} are ${digest}.`;
      return { tenant, message };
    });
}

/**
 * Whoever changes a file on a disk has changed no policy: a program whose files are not those in force does not start, so
 * that nobody believes they count. Errors: `policy-differs`.
 */
export async function requirePolicyInForce(db: Queryable, program: ProgramPolicy): Promise<void> {
  const [first] = await policyDifferences(db, program);
  if (first === undefined) return;
  throw new ContinuumError<PolicyStartErrorCode>("policy-differs", `${first.message} ${WAY_OUT}`, {
    details: { tenant: first.tenant },
  });
}

const WAY_OUT =
  "A policy changes by the approval of a second person, and not by its files. Either bring back the files in force " +
  "(policyDir, or the version of the program), or start with policy.onDifference: keep-active, which decides by the " +
  "policy in force: then `continuum policy propose` these files and let another person `continuum policy activate` them.";
