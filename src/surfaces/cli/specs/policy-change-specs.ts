import type { CommandSpec } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";
import { SIGNING_OPTIONS } from "./signing-options.ts";

const DIGEST = [{ name: "<digest>", description: "the version, as `policy versions` gives it" }] as const;

/** How the policy in force is changed: one person proposes, another one activates. */
export const POLICY_CHANGES: readonly CommandSpec[] = [
  {
    path: "policy propose",
    summary: "Propose a version of the policy, and see what it would change; people only",
    details:
      "A folder stands beside the program's set, or in its place when it holds a schema.cedarschema (`policy show --write` makes such a one).\nNothing changes until another policy admin activates it.",
    arguments: [{ name: "[folder]", description: "your own policies, or a whole set" }],
    options: [
      { flags: "--program", description: "the set that the server's program came with; your own policies stay" },
      { flags: "--digest <digest>", description: "a version that is there, such as an earlier one" },
      { flags: "--comment <text>", description: "why; kept with the proposal" },
    ],
    examples: [
      'policy propose ./policies --comment "capacity is short"',
      "policy propose --digest sha256:4f...",
      "policy propose --program",
    ],
    load: async () => (await import("../commands/policy-change.ts")).policyPropose,
  },
  {
    path: "policy versions",
    summary: "Versions of the policy, newest first",
    options: PAGE,
    formats: LISTS,
    examples: ["policy versions"],
    load: async () => (await import("../commands/policy-change.ts")).policyVersions,
  },
  {
    path: "policy show",
    summary: "One version: when it was in force, by whose word, and what it would change now",
    arguments: DIGEST,
    options: [
      { flags: "--write <folder>", description: "its files, into a folder that is new or empty" },
      {
        flags: "--subject <file>",
        description: "the bytes that the digest is of: what an activation's signature is about",
      },
    ],
    examples: ["policy show sha256:4f...", "policy show sha256:4f... --write ./policies"],
    load: async () => (await import("../commands/policy-change.ts")).policyShow,
  },
  {
    path: "policy withdraw",
    summary: "Withdraw the proposal of a version; people only",
    arguments: DIGEST,
    examples: ["policy withdraw sha256:4f..."],
    load: async () => (await import("../commands/policy-change.ts")).policyWithdraw,
  },
  {
    path: "policy activate",
    summary: "Put a proposed version into force with your signature and one-time code; never your own",
    arguments: DIGEST,
    options: [...SIGNING_OPTIONS, { flags: "--yes", description: "without asking, for what was looked at before" }],
    examples: ["policy activate sha256:4f... --key ada.key"],
    load: async () => (await import("../commands/policy-activate.ts")).policyActivate,
  },
  {
    path: "policy pull",
    summary: "Fetch the policy in force, signed, for `plan check` to decide by offline",
    details:
      "Kept in the data folder, or written to the file that -o names. The key of the first pull is trusted from then on.",
    options: [
      { flags: "--key <file>", description: "the server's policy key (PEM), instead of the one of the first pull" },
    ],
    outputTakesFile: true,
    examples: ["policy pull", "policy pull -o policy.bundle.json --key policy.pub"],
    load: async () => (await import("../commands/policy-pull.ts")).policyPull,
  },
];
