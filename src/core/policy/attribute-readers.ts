import type { Attributes } from "./attributes.ts";

export type Read = (attributes: Attributes) => unknown;

/**
 * One function for each attribute. Written out, each keeps to one place where it reads one name, which the engine
 * remembers; one function over all names forgets, and takes five times as long.
 */
export const READERS: Readonly<Record<keyof Attributes, Read>> = {
  gate: ({ gate }) => gate,
  environment: ({ environment }) => environment,
  target: ({ target }) => target,
  runtime: ({ runtime }) => runtime,
  workload: ({ workload }) => workload,
  strategy: ({ strategy }) => strategy,
  labels: ({ labels }) => labels,
  modelName: ({ modelName }) => modelName,
  modelVersion: ({ modelVersion }) => modelVersion,
  imageNamed: ({ imageNamed }) => imageNamed,
  dryRun: ({ dryRun }) => dryRun,
  instanceType: ({ instanceType }) => instanceType,
  instanceCount: ({ instanceCount }) => instanceCount,
  approvedTypes: ({ approvedTypes }) => approvedTypes,
  costMicroUsdPerHour: ({ costMicroUsdPerHour }) => costMicroUsdPerHour,
  environmentMicroUsdPerHour: ({ environmentMicroUsdPerHour }) => environmentMicroUsdPerHour,
  peakMicroUsdPerHour: ({ peakMicroUsdPerHour }) => peakMicroUsdPerHour,
  environmentPeakMicroUsdPerHour: ({ environmentPeakMicroUsdPerHour }) => environmentPeakMicroUsdPerHour,
  ownCapMicroUsdPerHour: ({ ownCapMicroUsdPerHour }) => ownCapMicroUsdPerHour,
  alarms: ({ alarms }) => alarms,
  onHealthCheckFailure: ({ onHealthCheckFailure }) => onHealthCheckFailure,
  monitorParts: ({ monitorParts }) => monitorParts,
  stepPercent: ({ stepPercent }) => stepPercent,
  deadlineSeconds: ({ deadlineSeconds }) => deadlineSeconds,
  bakeSecondsTotal: ({ bakeSecondsTotal }) => bakeSecondsTotal,
  namesAreOwn: ({ namesAreOwn }) => namesAreOwn,
  unknownNames: ({ unknownNames }) => unknownNames,
  breaker: ({ breaker }) => breaker,
  breakerFailures: ({ breakerFailures }) => breakerFailures,
  breakerLimit: ({ breakerLimit }) => breakerLimit,
  verified: ({ verified }) => verified,
  approved: ({ approved }) => approved,
  approvedMfaSigned: ({ approvedMfaSigned }) => approvedMfaSigned,
  budgetApproved: ({ budgetApproved }) => budgetApproved,
  snapshot: ({ snapshot }) => snapshot,
  restore: ({ restore }) => restore,
};
