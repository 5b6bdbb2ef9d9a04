import { readPolicyFiles, shippedPolicyFolder } from "../../config/policy-files.ts";
import { ContinuumError, type Parsed } from "../../core/error.ts";
import { isTableFile } from "../../core/policy/decision-table.ts";
import { loadPolicySet, programFiles, SCHEMA_FILE } from "../../core/policy/load-policy-set.ts";
import type { PolicyFile, PolicySet } from "../../core/policy/policy.ts";
import { type PolicyData, policyDataOf } from "../../core/policy/policy-data.ts";
import { protectionProblems } from "../../core/policy/protected-clauses.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { pathOf } from "./files.ts";

/**
 * What decides without a server: the bundle that was pulled from one, or the shipped set, alone or with a user's own
 * policies beside it.
 */
export interface OfflinePolicy extends PolicyData {
  set: PolicySet;
  source: "shipped" | "bundle";
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
  const where = own?.folder ?? "the shipped set";
  const policy = loadedPolicy(own === undefined ? shipped : programFiles(shipped, own.files), where);
  if (own !== undefined && isWholeSet(own.files)) {
    const [problem] = protectionProblems(loadedPolicy(shipped, where).set, policy.set);
    if (problem !== undefined) throw malformed("bad policies", where, problem);
  }
  return { ...policy, source: "shipped" };
}

/** A folder with a schema of its own stands in place of the shipped set, any other one beside it. */
export function isWholeSet(files: readonly PolicyFile[]): boolean {
  return files.some(({ path }) => path === SCHEMA_FILE);
}

/** The set of these files with its settings and prices; what is wrong with them is the user's mistake. */
export function loadedPolicy(files: readonly PolicyFile[], where: string): PolicyData & { set: PolicySet } {
  const set = loadPolicySet(files);
  if (!set.ok) throw malformed("bad policies", where, `${set.problem.path}:${set.problem.message}`);
  const data = policyDataOf(files);
  if (!data.ok) throw malformed("bad policies", where, `${data.problem.path}: ${data.problem.message}`);
  return { set: set.value, ...data.value };
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

/**
 * The policy that the options ask for: a bundle, or the shipped set with the user's folder beside it when one is named.
 * Without an option the bundle that was pulled last decides, as the server would; a bundle that does not count is refused
 * and never passed over.
 */
export async function policyOf(context: CommandContext): Promise<OfflinePolicy> {
  const folder = context.text("policy");
  const bundle = context.text("bundle");
  const required = context.flag("requireBundle");
  if (folder !== undefined) {
    const other = bundle !== undefined ? "--bundle" : required ? "--require-bundle" : undefined;
    if (other !== undefined) throw malformed("two policies", `${other} with --policy`, "must be one of them");
    return loadOfflinePolicy({
      shipped: shippedFiles(),
      own: { folder, files: ownFiles(context, folder, "--policy") },
    });
  }
  const { bundleInUse } = await import("./policy-bundle-file.ts");
  const inUse = await bundleInUse(context, { file: bundle, required });
  if (inUse === undefined) return loadOfflinePolicy({ shipped: shippedFiles() });
  return { ...loadedPolicy(inUse.bundle.files, inUse.place), source: "bundle" };
}
