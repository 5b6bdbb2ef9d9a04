import type { CommandGroup, OptionSpec } from "../command-spec.ts";
import { PLAN_FILE } from "./shared-options.ts";

/** By which policy is decided where no server is asked. */
const OFFLINE_POLICY: readonly OptionSpec[] = [
  { flags: "--policy <folder>", description: "a folder of your own policies beside the shipped set" },
  { flags: "--bundle <file>", description: "a policy bundle, instead of the one that was pulled last" },
  { flags: "--key <file>", description: "the policy key (PEM) that must have signed the bundle; else one of a pull" },
  { flags: "--require-bundle", description: "never decide by the shipped set; exit code 69 when there is no bundle" },
];

export const planGroup: CommandGroup = {
  name: "plan",
  summary: "Check, submit, compare and explain deployment plans",
  commands: [
    {
      path: "plan check",
      summary: "Decide a plan: what the policy denies, asks for and advises, and what would fix it",
      details:
        "Needs no server: the policy bundle decides that was pulled last (`policy pull`), else the shipped set; what only a server knows is listed as unchecked.\nExit code 0 when allowed, 2 when denied, 3 when a person must approve.",
      options: [
        PLAN_FILE,
        { flags: "--server", description: "let the server decide, with what it knows" },
        ...OFFLINE_POLICY,
        {
          flags: "--fix [file]",
          description: "write the plan with the fix applied; to standard output when no file is named",
        },
      ],
      examples: [
        "plan check -f plan.yaml",
        "plan check -f plan.yaml -o json",
        "plan check -f plan.yaml --fix fixed.yaml",
      ],
      load: async () => (await import("../commands/plan-check.ts")).planCheck,
    },
    {
      path: "plan submit",
      summary: "Propose a plan and start its rollout",
      details:
        "Imports every file: of the plan first. With --wait the rollout is followed to its end, and its end is the exit code.",
      options: [
        PLAN_FILE,
        { flags: "--supersede", description: "replace the rollout that holds the endpoint" },
        { flags: "--live", description: "for real, whatever the file says of dryRun" },
        { flags: "--dry-run", description: "every check and no change, whatever the file says of dryRun" },
      ],
      formats: ["table", "json", "ndjson"],
      examples: [
        "plan submit -f plan.yaml --wait",
        "plan submit -f plan.yaml --dry-run -o json",
        "plan submit -f plan.yaml --wait --timeout 15m",
      ],
      load: async () => (await import("../commands/plan-submit.ts")).planSubmit,
    },
    {
      path: "plan diff",
      summary: "What a plan would change against the version that serves, or against another file",
      options: [PLAN_FILE, { flags: "--against <file>", description: "another plan; no server is asked" }],
      examples: ["plan diff -f plan.yaml", "plan diff -f plan.yaml --against old.yaml"],
      load: async () => (await import("../commands/plan-diff.ts")).planDiff,
    },
    {
      path: "plan explain",
      summary: "Say in plain words what each clause that touches a plan wants, and why",
      options: [
        { flags: PLAN_FILE.flags, description: PLAN_FILE.description },
        {
          flags: "--rollout <id>",
          description: "instead: the decision of a rollout, by the policy that was in force then",
        },
        ...OFFLINE_POLICY,
      ],
      examples: ["plan explain -f plan.yaml", "plan explain --rollout 01J9Z"],
      load: async () => (await import("../commands/plan-explain.ts")).planExplain,
    },
  ],
};
