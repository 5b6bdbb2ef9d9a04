import { readPolicyFiles, shippedPolicyFolder } from "../config/policy-files.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import type { PriceTable } from "../core/policy/decision.ts";
import { lintPolicies } from "../core/policy/lint.ts";
import { loadPolicySet } from "../core/policy/load-policy-set.ts";
import { parsePriceTable } from "../core/pricing/price-table.ts";
import { broken, note, ok, reasonOf } from "./finding.ts";

const DAY_MS = 86_400_000;
const PRICES_DAYS_MAX = 180;
const INSTALL_AGAIN = "install the package again: its policies folder is not as it was shipped";

/** The policy set and the prices that this program decides with. */
export async function lookAtPolicy(nowMs: number): Promise<DoctorFinding[]> {
  const at = { check: "policy.loads", looked: "the policy set" };
  const files = readPolicyFiles(shippedPolicyFolder());
  const set = loadPolicySet(files);
  if (!set.ok) return [broken(at, `${set.problem.path}: ${set.problem.message}`, INSTALL_AGAIN)];
  const errors = lintPolicies(files).filter(({ severity }) => severity === "error");
  const lint = { check: "policy.lint", looked: "what `policy lint` says of it" };
  const [first] = errors;
  return [
    ok(at, `${set.value.policies.size} policies, ${set.value.digest}`),
    first === undefined
      ? ok(lint, "nothing is wrong")
      : broken(
          lint,
          `${errors.length} errors, the first in ${first.file}:${first.line}: ${first.message}`,
          INSTALL_AGAIN,
        ),
    pricesFinding(files.find(({ path }) => path === "prices.json")?.text ?? "", nowMs),
  ];
}

/** Prices carry the day that they are of: a clock that is before it is wrong. */
function pricesFinding(text: string, nowMs: number): DoctorFinding {
  const at = { check: "policy.prices", looked: "the prices, and this machine's date" };
  const parsed = parsePriceTable(text);
  if (!parsed.ok) return broken(at, parsed.problem.message, INSTALL_AGAIN);
  const { asOf, source }: PriceTable = parsed.value;
  const days = Math.floor((nowMs - Date.parse(asOf)) / DAY_MS);
  if (days < -1)
    return broken(
      at,
      `prices of ${asOf}, and this machine says it is ${new Date(nowMs).toISOString().slice(0, 10)}`,
      "set this machine's clock (NTP): deadlines, approvals and tokens end by it",
    );
  const seen = `of ${asOf}, ${Math.max(0, days)} days old, from ${source}`;
  return days > PRICES_DAYS_MAX
    ? note(at, seen, "costs are decided with old prices: a newer version of the program brings newer ones")
    : ok(at, seen);
}

/** The key of the encrypted store, and whether it opens what lies there. */
export async function lookAtArtifacts(store: ArtifactLook): Promise<DoctorFinding[]> {
  const at = { check: "artifacts.key", looked: "the artifact store's key" };
  const found = await store.key().catch((error: unknown) => error);
  if (found instanceof Error) {
    const isNew = (found as { code?: string }).code === "secret-not-found" && !(await store.holdsAnything());
    if (isNew && store.keyIsMade) return [ok(at, "none yet; the first start makes it")];
    const mend = isNew
      ? "put the key where artifacts.keyReference says: 32 bytes, or 64 hexadecimal digits"
      : "bring the key back from where it was kept: without it nothing in the store can be read";
    return [broken(at, reasonOf(found), mend)];
  }
  const fingerprint = String(found);
  const opening = { check: "artifacts.open", looked: "whether it opens what the store holds" };
  const seen = await store.check().catch((error: unknown) => reasonOf(error));
  return [
    ok(at, `fingerprint ${fingerprint}`),
    typeof seen === "string"
      ? broken(opening, seen, "this is not the key that closed the store: bring that one back")
      : ok(opening, seen.objects === 0 ? "the store is empty" : `${seen.objects} artifacts have authentic headers`),
  ];
}

/** What the composition root says of the store, since it alone knows which driver is in force. */
export interface ArtifactLook {
  /** True when the first start makes the key. */
  keyIsMade: boolean;
  /** The key's fingerprint, which tells nothing of the key. Errors: those of the secrets and of the store. */
  key(): Promise<string>;
  holdsAnything(): Promise<boolean>;
  /** Reads the header of every artifact of the first tenant; throws when one is not authentic. */
  check(): Promise<{ objects: number }>;
}
