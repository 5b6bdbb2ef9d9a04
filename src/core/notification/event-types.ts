/**
 * Everything that a webhook may tell, in the order of a rollout's life. The list is closed: a receiver can write a case
 * for each, and a new one is an addition that older receivers never asked for.
 */
export const NOTIFICATION_TYPES = {
  "approval.requested": "A rollout waits for people.",
  "approval.given": "Somebody approved a rollout; it may still need others.",
  "approval.break-glass": "Somebody approved alone, by breaking the glass; another person has to review it.",
  "approval.reviewed": "Somebody reviewed a break-glass approval.",
  "approval.rejected": "Somebody rejected a rollout, which ends it.",
  "approval.expired": "Nobody completed a rollout's approvals in time, which ends it.",
  "rollout.admitted": "A rollout has all it needs and begins.",
  "rollout.queued": "A rollout has all it needs and waits for its endpoint to be free.",
  "rollout.denied": "The policy denied a rollout, which ends it.",
  "rollout.superseded": "A newer plan took a rollout's place before it changed anything.",
  "rollout.shifted": "The candidate's share of traffic changed.",
  "rollout.alarm": "An alarm was raised about a rollout.",
  "rollout.paused": "A rollout is held where it is.",
  "rollout.resumed": "A paused rollout goes on.",
  "rollout.promoted": "The candidate is the stable version now.",
  "rollout.succeeded": "A rollout ended well.",
  "rollout.rolling-back": "A rollout is being undone.",
  "rollout.rolled-back": "A rollout ended with everything as it was before.",
  "rollout.failed": "A rollout ended and could not be undone: a person has to look.",
  "rollout.aborted": "A rollout was stopped before it changed anything.",
  "rollout.dry-run-completed": "A dry run ended well.",
  "policy.proposed": "Somebody proposed a version of the policy, which waits for another person to activate it.",
  "policy.activated": "A version of the policy came into force.",
  "breaker.opened": "An endpoint failed too often: further plans for it are denied for a while.",
  "breaker.reset": "A person closed an endpoint's circuit breaker.",
  "endpoint.scaled": "An endpoint's number of instances changed.",
  "endpoint.deleted": "An endpoint was removed.",
  "alarm.raised": "An alarm of an endpoint came to ALARM.",
  "alarm.cleared": "An alarm of an endpoint went from ALARM to OK.",
  "alarm.insufficient-data": "An alarm of an endpoint went from ALARM to having too little data to say.",
  "alarm.waiting": "An alarm of an endpoint waits for a person to decide what follows.",
  "alarm.acknowledged": "A person said that they saw an alarm.",
  "alarm.suppressed": "A person said that an alarm of an endpoint is not acted on for a while.",
  "alarm.unsuppressed": "A person ended an alarm's suppression.",
  "webhook.disabled": "Another webhook of the tenant was turned off because its receiver failed for days or is gone.",
  "webhook.test": "Somebody tries whether this webhook works.",
} as const;

export type NotificationType = keyof typeof NOTIFICATION_TYPES;

export const NOTIFICATION_TYPE_NAMES = Object.keys(NOTIFICATION_TYPES) as [NotificationType, ...NotificationType[]];
