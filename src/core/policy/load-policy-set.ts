import type { Parsed, Problem } from "../error.ts";
import { canonicalJson, sha256Digest } from "../plan/canonical.ts";
import { printable } from "../plan/input-rules.ts";
import { AnnotationError, readAnnotations } from "./annotations.ts";
import { askedForm } from "./asked-form.ts";
import { cedar, type PolicyJson } from "./cedar.ts";
import { policyNestingProblem, textNestingProblem } from "./nesting.ts";
import type { Policy, PolicyFile, PolicySet } from "./policy.ts";
import { reachableReads } from "./reachable-reads.ts";

export type { PolicyFile, PolicySet } from "./policy.ts";

export const SCHEMA_FILE = "schema.cedarschema";

/**
 * Loads a policy set: the shipped files and, as `own`, what a user adds to them. Strict, because a set that is wrong
 * in one place must not decide in the others: the schema is validated in Cedar's strict mode, every id stands once,
 * every policy says what it is for, and there is one permit, the shipped one. The problem's path is the file, its
 * message begins with the line. A set is parsed once per digest and kept.
 */
export function loadPolicySet(
  files: readonly PolicyFile[],
  options: { own?: readonly PolicyFile[] } = {},
): Parsed<PolicySet> {
  const all = options.own === undefined ? files : withOwnFiles(files, options.own);
  const digest = policyDigestOf(all);
  const known = loaded.get(digest);
  if (known) return { ok: true, value: known };
  const { set, problems } = checkPolicySet(all, digest);
  const first = problems[0];
  if (set === undefined) return { ok: false, problem: first ?? { path: "", message: "no policy set" } };
  loaded.set(digest, set);
  return { ok: true, value: set };
}

/** Cedar's binding cannot forget a parsed set, so neither do we: one per digest, never two. */
const loaded = new Map<string, PolicySet>();

/** Every problem of a set, for `policy lint`; the set itself only when there is none. `own/` marks a user's files. */
export function checkPolicySet(
  files: readonly PolicyFile[],
  digest: string = policyDigestOf(files),
): { set?: PolicySet; problems: Problem[] } {
  const schema = files.find((file) => file.path === SCHEMA_FILE)?.text;
  if (schema === undefined) return { problems: [{ path: SCHEMA_FILE, message: "the schema is missing" }] };
  const problems: Problem[] = [];
  const policies = new Map<string, Policy>();
  const written: Record<string, PolicyJson> = {};
  let base: Policy | undefined;
  const cedarFiles = files.filter((file) => file.path.endsWith(".cedar"));
  for (const policy of cedarFiles.flatMap((file) => readFile(file, problems))) {
    const twin = policy.kind === "base" ? base : policies.get(policy.policy.id);
    if (twin !== undefined)
      problems.push(at(policy.policy, `@id("${policy.policy.id}") stands twice, also in ${twin.file}:${twin.line}`));
    else {
      if (policy.kind === "base") base = policy.policy;
      else policies.set(policy.policy.id, policy.policy);
      written[policy.policy.id] = policy.json;
    }
  }
  if (base === undefined) problems.push({ path: "base.cedar", message: "the base permit is missing" });
  const texts = Object.fromEntries([...policies.values(), ...(base ? [base] : [])].map(({ id, text }) => [id, text]));
  problems.push(...validate(schema, texts, (id) => policies.get(id) ?? base));
  // A policy's own words stand in what is said of it, control characters and all.
  if (problems.length > 0)
    return { problems: problems.map(({ path, message }) => ({ path, message: printable(message) })) };
  const handle = `continuum/${digest}`;
  const asked = askedForm(written);
  preparse(handle, asked.policies);
  const reads = reachableReads(Object.values(written));
  return { set: { digest, policies, files, handle, form: asked.context, reads }, problems };
}

/** The shipped files with a user's own beside them, as one list: `own/` marks the user's. */
export function withOwnFiles(shipped: readonly PolicyFile[], own: readonly PolicyFile[]): PolicyFile[] {
  return [...shipped, ...own.map((file) => ({ ...file, path: `own/${file.path}` }))];
}

/**
 * A folder of policies in place: one that holds a schema is a whole set and stands for the shipped one; any other stands
 * beside it.
 */
export function programFiles(shipped: readonly PolicyFile[], folder: readonly PolicyFile[]): PolicyFile[] {
  return folder.some(({ path }) => path === SCHEMA_FILE) ? [...folder] : withOwnFiles(shipped, folder);
}

/** The digest of what a set stands on: its files without those that a tenant put beside them. */
export function baseDigestOf(files: readonly PolicyFile[]): string {
  return policyDigestOf(files.filter(({ path }) => !path.startsWith("own/")));
}

/**
 * The digest of a list of files, told without reading any of them: that of the set they make. It covers everything that
 * decides: the policies, their schema, the settings and the prices. Tables only test.
 */
export function policyDigestOf(files: readonly PolicyFile[]): string {
  return sha256Digest(policyDigestedBytes(files));
}

/** How programs before policy versions named the same files: prices were no part of it. */
export function formerPolicyDigestOf(files: readonly PolicyFile[]): string {
  return policyDigestOf(files.filter(({ path }) => !/(^|\/)prices\.json$/.test(path)));
}

/** The bytes that the digest is of: the canonical list of paths and texts of what decides. */
export function policyDigestedBytes(files: readonly PolicyFile[]): Buffer {
  const deciding = files.filter(({ path }) => /(\.cedar|\.cedarschema|(^|\/)(settings|prices)\.json)$/.test(path));
  const list = deciding.map(({ path, text }) => [path, text]).sort(([a], [b]) => ((a ?? "") < (b ?? "") ? -1 : 1));
  return Buffer.from(canonicalJson(list), "utf8");
}

type Read = { kind: "base" | "forbid"; policy: Policy; json: PolicyJson };

function readFile(file: PolicyFile, problems: Problem[]): Read[] {
  const tooMuch = textNestingProblem(file.text);
  if (tooMuch !== undefined) {
    problems.push({ path: file.path, message: `${lineAt(file.text, tooMuch.offset)}: ${tooMuch.message}` });
    return [];
  }
  const parts = cedar.policySetTextToParts(file.text);
  if (parts.type === "failure") {
    const error = parts.errors[0];
    const line = lineAt(file.text, error?.sourceLocations?.[0]?.start ?? 0);
    problems.push({ path: file.path, message: `${line}: ${oneLine(error?.message ?? "not Cedar")}` });
    return [];
  }
  if (parts.policy_templates.length > 0) {
    problems.push({
      path: file.path,
      message: "1: a template (?principal, ?resource) is not taken; write the policy out",
    });
  }
  const owner = file.path.startsWith("own/") ? "own" : "shipped";
  return parts.policies.flatMap((text) => {
    const place = {
      file: file.path,
      line: lineAt(file.text, Math.max(0, file.text.indexOf(text))),
      owner,
      text,
    } as const;
    try {
      return [readPolicy(place)];
    } catch (error) {
      if (!(error instanceof AnnotationError)) throw error;
      problems.push(at(place, error.message));
      return [];
    }
  });
}

function readPolicy(place: { file: string; line: number; owner: Policy["owner"]; text: string }): Read {
  const parsed = cedar.policyToJson(place.text);
  if (parsed.type === "failure") throw new AnnotationError(oneLine(parsed.errors[0]?.message ?? "not a policy"));
  const { json } = parsed;
  const tooDeep = policyNestingProblem(json);
  if (tooDeep !== undefined) throw new AnnotationError(tooDeep);
  if (json.effect === "forbid") {
    const policy = readAnnotations(json, place);
    if (policy.id === BASE.id) throw new AnnotationError(`@id("${BASE.id}") is the base permit's; choose another`);
    return { kind: "forbid", policy, json };
  }
  // A second permit could only widen what the base permits, so whoever writes one misunderstood: say so.
  const shippedBase = place.owner === "shipped" && json.annotations?.["id"] === BASE.id && json.conditions.length === 0;
  if (!shippedBase)
    throw new AnnotationError("a permit is not taken: policies only forbid; one base permit is shipped");
  return { kind: "base", policy: { ...BASE, ...place }, json };
}

const BASE = {
  id: "BASE",
  clause: "CP-7",
  level: "deny",
  reason: "",
  document: "continuum",
  section: "pipeline",
  path: null,
  observed: null,
  limit: null,
  fix: null,
  due: null,
  discharged: null,
  gates: "propose, verify, pre-provision",
  reads: new Set<string>(),
  literals: new Set<unknown>(),
  meaning: "permit",
  whatIf: undefined,
} as const;

function validate(
  schema: string,
  texts: Record<string, string>,
  policyOf: (id: string) => Policy | undefined,
): Problem[] {
  const answer = cedar.validate({
    schema,
    policies: { staticPolicies: texts },
    validationSettings: { mode: "strict" },
  });
  if (answer.type === "failure")
    return answer.errors.map((error) => ({ path: SCHEMA_FILE, message: `1: ${oneLine(error.message)}` }));
  return [...answer.validationErrors, ...answer.validationWarnings].map(({ policyId, error }) => {
    const message = oneLine([error.message, error.help].filter(Boolean).join("; "));
    const policy = policyOf(policyId);
    return policy === undefined ? { path: SCHEMA_FILE, message: `1: ${message}` } : at(policy, message);
  });
}

function preparse(handle: string, policies: Record<string, PolicyJson>): void {
  const answer = cedar.preparsePolicySet(handle, { staticPolicies: policies });
  // The set was validated a moment ago: a failure here is a bug, not a user's mistake.
  if (answer.type === "failure") throw new Error(answer.errors[0]?.message ?? "Cedar refused a valid set");
}

function at(place: { file: string; line: number }, message: string): Problem {
  return { path: place.file, message: `${place.line}: ${message}` };
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
