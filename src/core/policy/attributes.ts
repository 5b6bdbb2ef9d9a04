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

/** How Cedar holds each attribute: an entity of a named enumeration, a set of such, or the plain value. */
const FORMS: Record<keyof Attributes, string> = {
  gate: "Gate",
  environment: "Environment",
  target: "Target",
  runtime: "Runtime",
  workload: "Workload",
  strategy: "Strategy",
  labels: "",
  modelName: "",
  modelVersion: "",
  imageNamed: "",
  dryRun: "",
  instanceType: "",
  instanceCount: "",
  approvedTypes: "",
  costMicroUsdPerHour: "",
  environmentMicroUsdPerHour: "",
  peakMicroUsdPerHour: "",
  environmentPeakMicroUsdPerHour: "",
  ownCapMicroUsdPerHour: "",
  alarms: "",
  onHealthCheckFailure: "",
  monitorParts: "MonitorPart",
  stepPercent: "",
  deadlineSeconds: "",
  bakeSecondsTotal: "",
  namesAreOwn: "",
  unknownNames: "",
  breaker: "Breaker",
  breakerFailures: "",
  breakerLimit: "",
  verified: "Evidence",
  approved: "",
  approvedMfaSigned: "",
  budgetApproved: "",
  snapshot: "Snapshot",
  restore: "",
};

export const ATTRIBUTES: ReadonlySet<string> = new Set(Object.keys(FORMS));

type CedarScalar = string | number | boolean | { __entity: { type: string; id: string } };

/** The attributes as Cedar's JSON has them. */
export function toCedarContext(attributes: Attributes): Record<string, CedarScalar | CedarScalar[]> {
  const context: Record<string, CedarScalar | CedarScalar[]> = {};
  for (const [name, value] of Object.entries(attributes) as [keyof Attributes, Attributes[keyof Attributes]][]) {
    if (value === undefined) continue;
    const type = FORMS[name];
    if (type === "") context[name] = value;
    else context[name] = Array.isArray(value) ? value.map((id) => entity(type, id)) : entity(type, String(value));
  }
  return context;
}

function entity(type: string, id: string): CedarScalar {
  return { __entity: { type, id } };
}

/** Attributes in micro-USD are shown in USD. */
export function isMoney(attribute: string | null): boolean {
  return attribute?.endsWith("MicroUsdPerHour") === true;
}
