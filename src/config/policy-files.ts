import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { ContinuumError } from "../core/error.ts";
import type { PolicyFile } from "../core/policy/policy.ts";

/** What a policy folder may hold; anything else beside it (a README, an editor's copy) is left alone. */
const POLICY_FILE = /\.(cedar|cedarschema|json|ya?ml)$/;

/** The folder of the shipped policy set: `policies/` of the package, whether this runs from `src/` or from `dist/`. */
export function shippedPolicyFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let above = dirname(folder); folder !== above; above = dirname(folder)) {
    const policies = join(folder, "policies");
    if (existsSync(join(policies, "schema.cedarschema"))) return policies;
    folder = above;
  }
  throw new ContinuumError<"policies-missing">(
    "policies-missing",
    "the package lacks its policies folder; install it again",
  );
}

/** Reads a policy folder and everything below it, in the order of the paths. Paths are below the folder, with `/`. */
export function readPolicyFiles(folder: string): PolicyFile[] {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(folder);
  } catch (cause) {
    throw new ContinuumError<"policies-unreadable">("policies-unreadable", `cannot read the policy folder ${folder}`, {
      cause,
    });
  }
  return entries
    .filter((entry) => entry.isFile() && POLICY_FILE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ path: relative(folder, file).split(sep).join("/"), text: readFileSync(file, "utf8") }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function list(folder: string) {
  return readdirSync(folder, { recursive: true, withFileTypes: true });
}
