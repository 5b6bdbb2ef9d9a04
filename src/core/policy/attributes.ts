import { ENVIRONMENTS, STRATEGIES, TARGETS, WORKLOADS } from "../plan/schema.ts";

/**
 * What a policy may ask about a plan: the attributes of `context`, as in the schema, with plain values. Money is
 * micro-USD per hour. Facts are computed before Cedar is asked; Cedar alone decides.
 */
export interface Attributes {
  gate: string;
  environment: string;
  target: string;
  runtime: string;
  workload: string;
  strategy: string;
  labels: string[];
  modelName: string;
  modelVersion: string;
  imageNamed: boolean;
  dryRun: boolean;
  instanceType: string;
  instanceCount: number;
  approvedTypes: string[];
  costMicroUsdPerHour?: number;
  environmentMicroUsdPerHour?: number;
  peakMicroUsdPerHour?: number;
  environmentPeakMicroUsdPerHour?: number;
  ownCapMicroUsdPerHour?: number;
  alarms: string[];
  onHealthCheckFailure: boolean;
  monitorParts: string[];
  stepPercent: number;
  deadlineSeconds: number;
  bakeSecondsTotal: number;
  namesAreOwn: boolean;
  unknownNames: string[];
  breaker: string;
  breakerFailures: number;
  breakerLimit: number;
  verified: string[];
  approved: boolean;
  approvedMfaSigned: boolean;
  budgetApproved: boolean;
  snapshot: "missing" | "verified" | "not-due";
  restore: boolean;
}

/** The enumerations of the schema. A word that is none of these is never put to Cedar: it would match no clause. */
const WORDS = {
  Gate: ["propose", "verify", "pre-provision", "run"],
  Environment: ENVIRONMENTS,
  Target: TARGETS,
  Runtime: ["gpu", "quantum", "hybrid"],
  Workload: WORKLOADS,
  Strategy: STRATEGIES,
  MonitorPart: ["baseline", "dataDrift", "modelQuality", "bias"],
  Breaker: ["closed", "open", "half-open"],
  Snapshot: ["missing", "verified", "not-due"],
  Evidence: [
    "tests",
    "image-signature",
    "manifest-signature",
    "provenance",
    "encryption",
    "artifact-digest",
    "approver-signature",
    "baseline",
    "dry-run",
  ],
} as const satisfies Record<string, readonly string[]>;

type Enumeration = keyof typeof WORDS;
type Form = "Bool" | "Long" | "String" | Enumeration | "Set<String>" | `Set<${Enumeration}>`;

/** How Cedar holds each attribute, in the schema's own words; a test compares the two. */
export const FORMS: Readonly<Record<keyof Attributes, Form>> = {
  gate: "Gate",
  environment: "Environment",
  target: "Target",
  runtime: "Runtime",
  workload: "Workload",
  strategy: "Strategy",
  labels: "Set<String>",
  modelName: "String",
  modelVersion: "String",
  imageNamed: "Bool",
  dryRun: "Bool",
  instanceType: "String",
  instanceCount: "Long",
  approvedTypes: "Set<String>",
  costMicroUsdPerHour: "Long",
  environmentMicroUsdPerHour: "Long",
  peakMicroUsdPerHour: "Long",
  environmentPeakMicroUsdPerHour: "Long",
  ownCapMicroUsdPerHour: "Long",
  alarms: "Set<String>",
  onHealthCheckFailure: "Bool",
  monitorParts: "Set<MonitorPart>",
  stepPercent: "Long",
  deadlineSeconds: "Long",
  bakeSecondsTotal: "Long",
  namesAreOwn: "Bool",
  unknownNames: "Set<String>",
  breaker: "Breaker",
  breakerFailures: "Long",
  breakerLimit: "Long",
  verified: "Set<Evidence>",
  approved: "Bool",
  approvedMfaSigned: "Bool",
  budgetApproved: "Bool",
  snapshot: "Snapshot",
  restore: "Bool",
};

export const ATTRIBUTES: ReadonlySet<string> = new Set(Object.keys(FORMS));

/** A policy may ask whether these are there, so leaving one out would be an answer. */
export const OPTIONAL_ATTRIBUTES: readonly (keyof Attributes)[] = [
  "costMicroUsdPerHour",
  "environmentMicroUsdPerHour",
  "peakMicroUsdPerHour",
  "environmentPeakMicroUsdPerHour",
  "ownCapMicroUsdPerHour",
];

export function isAttribute(name: string): name is keyof Attributes {
  return ATTRIBUTES.has(name);
}

/** Every word that an enumerated attribute may have, or the members of its set; undefined for any other attribute. */
export function wordsOf(name: keyof Attributes): readonly string[] | undefined {
  const type = FORMS[name].replace(/^Set<(.*)>$/, "$1");
  return isEnumeration(type) ? WORDS[type] : undefined;
}

export function isEnumeration(type: string): type is Enumeration {
  return Object.hasOwn(WORDS, type);
}

type Entity = { __entity: { type: string; id: string } };
type CedarValue = string | number | boolean | Entity | (string | Entity)[];

/** How enumerated attributes are written in a question: as Cedar's entities, or as their bare words. */
export type ContextForm = "entities" | "words";

/**
 * The named attributes as Cedar's JSON has them, enumerations as entities or as their words; one that is absent stays
 * absent. Throws when a value is not of the schema's type, so that Cedar need not compare the whole with the schema on
 * every question.
 */
export function toCedarContext(
  attributes: Attributes,
  options: { names: readonly (keyof Attributes)[]; form: ContextForm },
): Record<string, CedarValue> {
  const context: Record<string, CedarValue> = {};
  for (const name of options.names) {
    const value: unknown = attributes[name];
    if (value === undefined) continue;
    const checked = cedarValue(name, value);
    context[name] = options.form === "words" && isEntity(checked) ? (value as CedarValue) : checked;
  }
  return context;
}

function isEntity(value: CedarValue | undefined): boolean {
  return Array.isArray(value) ? isEntity(value[0]) : typeof value === "object";
}

function cedarValue(name: keyof Attributes, value: unknown): CedarValue {
  const { type, many, entities } = READ_FORMS[name];
  if (!many && entities === undefined && typeof value === type) {
    if (type !== "number" || Number.isSafeInteger(value)) return value as CedarValue;
  } else if (!many && entities !== undefined) {
    const entity = entities.get(value);
    if (entity !== undefined) return entity;
  } else if (many && Array.isArray(value)) {
    return value.map((member: unknown) => memberOf(name, member));
  }
  throw new TypeError(`context.${name} is not a ${FORMS[name]}`);
}

function memberOf(name: keyof Attributes, member: unknown): string | Entity {
  const { entities } = READ_FORMS[name];
  const found = entities === undefined ? member : entities.get(member);
  if (typeof found === "string" || (typeof found === "object" && found !== null)) return found as string | Entity;
  throw new TypeError(`a member of context.${name} is not of ${FORMS[name]}`);
}

interface ReadForm {
  type: "boolean" | "number" | "string";
  many: boolean;
  /** By word, made once: every question names the same few. */
  entities: ReadonlyMap<unknown, Entity> | undefined;
}

const READ_FORMS = Object.fromEntries(
  Object.entries(FORMS).map(([name, form]) => [name, readForm(form)]),
) as unknown as Readonly<Record<keyof Attributes, ReadForm>>;

function readForm(form: Form): ReadForm {
  const many = form.startsWith("Set<");
  const type = many ? form.slice("Set<".length, -1) : form;
  const entities = isEnumeration(type)
    ? new Map(WORDS[type].map((id) => [id as unknown, { __entity: { type, id } }]))
    : undefined;
  return { type: form === "Bool" ? "boolean" : form === "Long" ? "number" : "string", many, entities };
}

/** Attributes in micro-USD are shown in USD. */
export function isMoney(attribute: string | null): boolean {
  return attribute?.endsWith("MicroUsdPerHour") === true;
}
