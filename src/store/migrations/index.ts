import { sql as start } from "./0001-start.ts";
import { sql as openRollouts } from "./0002-open-rollouts.ts";
import { sql as webhooks } from "./0003-webhooks.ts";
import { sql as rolloutsInPlace } from "./0004-rollouts-in-place.ts";
import { sql as retention } from "./0005-retention.ts";
import { sql as restores } from "./0006-restores.ts";
import { sql as trust } from "./0007-trust.ts";
import { sql as people } from "./0008-people.ts";
import { sql as policyVersions } from "./0009-policy-versions.ts";
import { sql as approvals } from "./0010-approvals.ts";
import { sql as auditProofs } from "./0011-audit-proofs.ts";
import { sql as workloads } from "./0012-workloads.ts";
import { sql as monitor } from "./0013-monitor.ts";
import { sql as alarms } from "./0014-alarms.ts";
import { sql as groundTruth } from "./0015-ground-truth.ts";

/** In order; the place in the list is the version, counted from 1. One that was released is never edited. */
export const migrations: readonly { name: string; sql: string }[] = [
  { name: "0001-start", sql: start },
  { name: "0002-open-rollouts", sql: openRollouts },
  { name: "0003-webhooks", sql: webhooks },
  { name: "0004-rollouts-in-place", sql: rolloutsInPlace },
  { name: "0005-retention", sql: retention },
  { name: "0006-restores", sql: restores },
  { name: "0007-trust", sql: trust },
  { name: "0008-people", sql: people },
  { name: "0009-policy-versions", sql: policyVersions },
  { name: "0010-approvals", sql: approvals },
  { name: "0011-audit-proofs", sql: auditProofs },
  { name: "0012-workloads", sql: workloads },
  { name: "0013-monitor", sql: monitor },
  { name: "0014-alarms", sql: alarms },
  { name: "0015-ground-truth", sql: groundTruth },
];
