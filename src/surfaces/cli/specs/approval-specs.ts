import type { CommandGroup, CommandSpec, OptionSpec } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";
import { PASSWORD } from "./signing-specs.ts";

const ROLLOUT = [{ name: "<id>", description: "the rollout" }] as const;
const COMMENT = { flags: "--comment <text>", description: "why; kept with the rollout" } as const;
const CODE: OptionSpec = {
  flags: "--code <code>",
  description: "your one-time code; asked for on the terminal when left out",
};
const KEY: OptionSpec = {
  flags: "--key <reference>",
  description: "your own encrypted private key: file:PATH, env:NAME or a path",
};

export const approvalGroup: CommandGroup = {
  name: "approval",
  summary: "See what waits for a person, and decide it",
  commands: [
    {
      path: "approval list",
      summary: "Rollouts that wait for a person",
      options: PAGE,
      formats: LISTS,
      examples: ["approval list"],
      load: async () => (await import("../commands/approval.ts")).approvalList,
    },
    {
      path: "approval show",
      summary: "What one rollout would change, cost and need, and the digest that an approval binds",
      arguments: ROLLOUT,
      examples: ["approval show 01J9Z"],
      load: async () => (await import("../commands/approval.ts")).approvalShow,
    },
    {
      path: "approval approve",
      summary: "Approve exactly this plan; people only, and never one's own",
      details:
        "Shows the plan, what it changes, its cost, findings and evidence, and asks. Where the policy wants it, the " +
        "statement is signed here with your own key and handed in with a one-time code; the server never signs for you.",
      arguments: ROLLOUT,
      options: [
        KEY,
        ...PASSWORD,
        CODE,
        { flags: "--plan-digest <digest>", description: "only if it is this plan, as `approval show` gives it" },
        { flags: "--yes", description: "do not ask; needs --plan-digest" },
        { flags: "--role <role>", description: "in which role", choices: ["approver", "budget-owner"] },
        { flags: "--break-glass", description: "alone, in the role break-glass; somebody else reviews it afterwards" },
        { flags: "--reason <text>", description: "why nobody can wait; with --break-glass" },
        COMMENT,
      ],
      examples: [
        "approval approve 01J9Z --plan-digest sha256:4f...",
        "approval approve 01J9Z --key file:ann.key",
        'approval approve 01J9Z --key ann.key --break-glass --reason "every loan is denied since noon"',
      ],
      load: async () => (await import("../commands/approval-approve.ts")).approvalApprove,
    },
    {
      path: "approval reject",
      summary: "Reject a waiting rollout; people only",
      arguments: ROLLOUT,
      options: [COMMENT],
      examples: ['approval reject 01J9Z --comment "not before the audit"'],
      load: async () => (await import("../commands/approval.ts")).approvalReject,
    },
    {
      path: "approval reviews",
      summary: "Break-glass approvals that nobody has reviewed yet",
      options: [{ flags: "--reviewed", description: "those that were reviewed as well" }, ...PAGE],
      formats: LISTS,
      examples: ["approval reviews", "approval reviews --reviewed -o json"],
      load: async () => (await import("../commands/approval-review.ts")).approvalReviews,
    },
    {
      path: "approval review",
      summary: "Say whether breaking the glass was right; people only, and never one's own",
      arguments: ROLLOUT,
      options: [
        {
          flags: "--verdict <verdict>",
          description: "what you found",
          choices: ["justified", "not-justified"],
          required: true,
        },
        { flags: "--comment <text>", description: "what you looked at", required: true },
      ],
      examples: ['approval review 01J9Z --verdict justified --comment "the outage was real"'],
      load: async () => (await import("../commands/approval-review.ts")).approvalReview,
    },
  ],
};

export const mfaGroup: CommandGroup = {
  name: "mfa",
  summary: "Your second factor for approvals",
  commands: [
    {
      path: "mfa show",
      summary: "Which second factors and keys you have",
      examples: ["mfa show"],
      load: async () => (await import("../commands/mfa.ts")).mfaShow,
    },
    {
      path: "mfa enroll",
      summary: "Show a new secret for your authenticator program, once",
      examples: ["mfa enroll"],
      load: async () => (await import("../commands/mfa.ts")).mfaEnroll,
    },
    {
      path: "mfa confirm",
      summary: "Begin to use the secret that was shown, by a first code of it",
      options: [
        CODE,
        { flags: "--old-code <code>", description: "one of the secret that is replaced; else asked for" },
      ],
      examples: ["mfa confirm"],
      load: async () => (await import("../commands/mfa.ts")).mfaConfirm,
    },
    {
      path: "mfa remove",
      summary: "Stop using one-time codes, by a last one",
      options: [CODE],
      examples: ["mfa remove"],
      load: async () => (await import("../commands/mfa.ts")).mfaRemove,
    },
  ],
};

/** Commands of `keys` that are about one's own. */
export const OWN_KEY_COMMANDS: readonly CommandSpec[] = [
  {
    path: "keys enroll",
    summary: "Register your own key for your approvals, by its signature; people only",
    options: [
      { ...KEY, required: true },
      ...PASSWORD,
      CODE,
      { flags: "--label <text>", description: "what you call it" },
    ],
    examples: ["keys enroll --key ann.key", 'keys enroll --key file:ann.key --label "laptop"'],
    load: async () => (await import("../commands/keys-own.ts")).keysEnroll,
  },
  {
    path: "keys enrolled",
    summary: "Your own keys for approvals",
    options: PAGE,
    formats: LISTS,
    examples: ["keys enrolled"],
    load: async () => (await import("../commands/keys-own.ts")).keysEnrolled,
  },
  {
    path: "keys withdraw",
    summary: "Stop approving with a key of yours; what it signed counts at no gate any more",
    arguments: [{ name: "<key-id>", description: "as `keys enrolled` gives it" }],
    examples: ["keys withdraw sha256:9d..."],
    load: async () => (await import("../commands/keys-own.ts")).keysWithdraw,
  },
];
