import { exportWriter } from "../../src/core/audit/export.ts";

/** Inputs that once broke a property, as small as they could be made. Each is fed again by `npm test`. */
export interface Regression {
  /** What was wrong. */
  name: string;
  target: string;
  input: unknown;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const plan = (spec: Record<string, unknown>): unknown => ({
  apiVersion: "continuum/v1",
  kind: "DeploymentPlan",
  metadata: { name: "churn" },
  spec: {
    environment: "development",
    model: { name: "churn", version: "1.0.0", artifact: `store:sha256:${"ab".repeat(32)}` },
    compute: { instanceType: "ml.m5.large" },
    ...spec,
  },
});

export const REGRESSIONS: readonly Regression[] = [
  {
    name: "a finding's message turned the reading direction round, as the plan's instance type did",
    target: "plan-value",
    input: plan({ compute: { instanceType: "ml.m5.large\u202e" } }),
  },
  {
    name: "a finding's message carried an alarm's control characters",
    target: "plan-value",
    input: plan({ rollback: { alarms: ["\u001b[2J", "DataDriftAlarm"] } }),
  },
  {
    name: "the refusal of a signed statement carried its names' control characters",
    target: "bundles",
    input: {
      sign: true,
      bytes: bytes(
        JSON.stringify({
          _type: "https://in-toto.io/Statement/v1",
          subject: [{ name: "a", digest: { "\u0000\u001b": {} } }],
          predicateType: "https://in-toto.io/attestation/test-result/v0.1",
          predicate: {},
        }),
      ),
    },
  },
  {
    name: "a number beyond all limits in an audit log's head ended its verification with an internal error",
    target: "audit-copies",
    input: {
      bytes: bytes(`${auditHeader()}{"headerSeal":"","rootHash":"","seal":"","size":1e999,"type":"head"}\n`),
      cut: 4096,
    },
  },
  {
    name: "a number beyond all limits in an audit log's entry did the same",
    target: "audit-copies",
    input: { bytes: bytes(`${auditHeader()}{"entry":{"a":1e999},"index":0,"type":"entry"}\n`), cut: 4096 },
  },
  {
    name: "a body of 750 KB whose first row is its longest asked for more memory than there is, and looked like the model's failure",
    target: "request-bodies",
    input: { bytes: bytes(`[[${"1,".repeat(150_000)}1]${",[]".repeat(150_000)}]`), model: 1, reader: "json" },
  },
  {
    name: "so did such a body of CSV",
    target: "request-bodies",
    input: { bytes: bytes(`${"1,".repeat(150_000)}1${"\n1".repeat(150_000)}\n`), model: 1, reader: "csv" },
  },
  {
    name: "brackets within brackets broke Cedar, and with it every later decision of the process",
    target: "policy-cedar",
    input: bytes(policy(`${"(".repeat(3000)}true${")".repeat(3000)}`)),
  },
  {
    name: "a condition of two hundred terms ended the loading of policies with an internal error",
    target: "policy-cedar",
    input: bytes(policy(`${"context.instanceCount == 1 || ".repeat(200)}false`)),
  },
];

function policy(condition: string): string {
  const annotations = '@id("OWN-1")\n@level("deny")\n@reason("r")\n@source("own#s")\n';
  return `${annotations}forbid (principal, action in Action::"deploy", resource) when { ${condition} };\n`;
}

/** The first line of a log of the tenant `acme`. */
function auditHeader(): string {
  return exportWriter("acme").header();
}
