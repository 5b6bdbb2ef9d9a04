import type { CommandGroup } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";

export const workloadGroup: CommandGroup = {
  name: "workload",
  summary: "Pipelines whose jobs propose without a secret of ours: by their OIDC identity token; people only",
  commands: [
    {
      path: "workload trust",
      summary: "Let the jobs of a pipeline exchange their identity token for a short one of a service",
      details:
        "Each claim must be the same, character by character. Name the branch with --ref, or the environment with --environment, or both.\nThe issuer is the installation's: see workloadIdentity among the settings.",
      arguments: [{ name: "<principal>", description: "the service that such a job is" }],
      options: [
        { flags: "--repository <owner/name>", description: "the claim `repository`", required: true },
        { flags: "--workflow <ref>", description: "the claim `job_workflow_ref`", required: true },
        { flags: "--ref <ref>", description: "the claim `ref`, such as refs/heads/main" },
        { flags: "--environment <name>", description: "the claim `environment`, of the pipeline" },
        { flags: "--repository-id <number>", description: "the claim `repository_id`, which a rename does not change" },
        {
          flags: "--role <role>",
          description: "proposer, or such as proposer@staging; may be given several times; default proposer",
          repeatable: true,
        },
        { flags: "--expires <duration>", description: "how long its tokens last, 1h at most; default 15m" },
      ],
      examples: [
        "workload trust ci-churn --repository acme/churn --ref refs/heads/main --workflow acme/churn/.github/workflows/deploy.yml@refs/heads/main",
      ],
      load: async () => (await import("../commands/workload.ts")).workloadTrust,
    },
    {
      path: "workload list",
      summary: "Pipelines whose jobs are trusted",
      options: PAGE,
      formats: LISTS,
      examples: ["workload list", "workload list -o json"],
      load: async () => (await import("../commands/workload.ts")).workloadList,
    },
    {
      path: "workload remove",
      summary: "Trust a pipeline's jobs no more; every token of its service ends now",
      arguments: [{ name: "<id>", description: "as `workload list` gives it" }],
      examples: ["workload remove wl_5f1c"],
      load: async () => (await import("../commands/workload.ts")).workloadRemove,
    },
  ],
};
