import type { CommandGroup } from "../command-spec.ts";
import { approvalGroup, mfaGroup } from "./approval-specs.ts";
import { auditGroup, tokenGroup } from "./audit-specs.ts";
import { backupGroup, migrateGroup } from "./backup-specs.ts";
import { doctorGroup } from "./doctor-specs.ts";
import { artifactGroup, endpointGroup } from "./endpoint-specs.ts";
import { evidenceGroup, keysGroup } from "./evidence-specs.ts";
import { monitorGroup } from "./monitor-specs.ts";
import { personGroup } from "./people-specs.ts";
import { planGroup } from "./plan-specs.ts";
import { breakerGroup, policyGroup, pricesGroup } from "./policy-specs.ts";
import { rolloutGroup } from "./rollout-specs.ts";
import { completionGroup, configGroup, quickstartGroup, startGroup } from "./running-specs.ts";
import { attestGroup, packageGroup, signGroup, verifyGroup } from "./signing-specs.ts";
import { identityGroup, trustGroup } from "./trust-specs.ts";
import { webhookGroup } from "./webhook-specs.ts";
import { workloadGroup } from "./workload-specs.ts";

/** Every command, in the order of the help. */
export const COMMAND_GROUPS: readonly CommandGroup[] = [
  quickstartGroup,
  startGroup,
  planGroup,
  rolloutGroup,
  approvalGroup,
  mfaGroup,
  endpointGroup,
  artifactGroup,
  monitorGroup,
  attestGroup,
  packageGroup,
  signGroup,
  verifyGroup,
  keysGroup,
  identityGroup,
  trustGroup,
  evidenceGroup,
  policyGroup,
  pricesGroup,
  breakerGroup,
  auditGroup,
  personGroup,
  tokenGroup,
  workloadGroup,
  webhookGroup,
  doctorGroup,
  configGroup,
  completionGroup,
  migrateGroup,
  backupGroup,
];
