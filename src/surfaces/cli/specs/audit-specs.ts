import type { CommandGroup } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";

export const auditGroup: CommandGroup = {
  name: "audit",
  summary: "The audit log: read, verify, prove, export, and what was signed of it",
  commands: [
    {
      path: "audit list",
      summary: "Entries, oldest first",
      options: [{ flags: "--subject <id>", description: "only about this rollout, endpoint, key or token" }, ...PAGE],
      formats: LISTS,
      examples: ["audit list", "audit list --subject 01J9Z -o ndjson"],
      load: async () => (await import("../commands/audit-list.ts")).auditList,
    },
    {
      path: "audit verify",
      summary:
        "Verify the proof of a rollout or a copy of the log offline, or the server's log; exit code 1, with the place, when it was changed",
      arguments: [
        { name: "[file]", description: "made by `audit prove -O` or `audit export`; without it the server is asked" },
      ],
      options: [
        {
          flags: "--key <key>",
          description: "a file with the log's keys, as `audit keys` prints them, or a key itself",
          repeatable: true,
        },
        {
          flags: "--checkpoint <path>",
          description: "a signed checkpoint, or a folder of them; the copy must have grown out of each; needs --key",
          repeatable: true,
        },
        {
          flags: "--head <size:root>",
          description: "a head that you kept; the copy must have grown out of it",
          repeatable: true,
        },
      ],
      examples: [
        "audit verify",
        "audit verify rollout.proof --key audit-keys.txt",
        "audit verify audit.ndjson --checkpoint ~/.continuum/checkpoints --key audit-keys.txt",
        "audit verify audit.ndjson --head 120:9f...",
      ],
      load: async () => (await import("../commands/audit-verify.ts")).auditVerify,
    },
    {
      path: "audit prove",
      summary: "Proofs that the entries about a subject stand in the log; with -O a rollout's whole story in one file",
      arguments: [{ name: "<subject>", description: "a rollout; without -O also an endpoint, key or token" }],
      options: [
        {
          flags: "-O, --out <file>",
          description: "write one file from which anybody can check the rollout with `audit verify`, without access",
        },
      ],
      examples: ["audit prove 01J9Z -O rollout.proof", "audit prove 01J9Z -o json"],
      load: async () => (await import("../commands/audit-prove.ts")).auditProve,
    },
    {
      path: "audit keys",
      summary: "The public keys of the log and its witnesses, in the form that `audit verify --key` reads",
      examples: ["audit keys", "audit keys > audit-keys.txt"],
      load: async () => (await import("../commands/audit-keys.ts")).auditKeys,
    },
    {
      path: "audit checkpoints",
      summary: "What was signed of the log, smallest first, and whether each archive has it",
      options: [{ flags: "-O, --out <folder>", description: "also keep each of them there as a file" }, ...PAGE],
      formats: LISTS,
      examples: ["audit checkpoints --all", "audit checkpoints --all -O kept"],
      load: async () => (await import("../commands/audit-checkpoints.ts")).auditCheckpoints,
    },
    {
      path: "audit export",
      summary: "The whole log in a form that `audit verify` checks offline",
      options: [{ flags: "-O, --out <file>", description: "the file to write; standard output when left out" }],
      formats: LISTS,
      examples: ["audit export -O audit.ndjson"],
      load: async () => (await import("../commands/audit-export.ts")).auditExport,
    },
  ],
};

export const tokenGroup: CommandGroup = {
  name: "token",
  summary: "Credentials of people, agents and services",
  commands: [
    {
      path: "token create",
      summary: "Make a token; its secret is shown this once; people only",
      arguments: [{ name: "<principal>", description: "whose it is" }],
      options: [
        {
          flags: "--kind <kind>",
          description: "what the principal is",
          choices: ["human", "agent", "service"],
          required: true,
        },
        {
          flags: "--role <role>",
          description: "what it may do, everywhere or as ROLE@ENVIRONMENT; may be given several times",
          repeatable: true,
          required: true,
        },
        { flags: "--owner <principal>", description: "the person who answers for an agent" },
        { flags: "--expires <duration>", description: "such as 12h or 30d" },
      ],
      examples: [
        "token create ci --kind service --role proposer --expires 30d",
        "token create helper --kind agent --owner ada --role proposer@development --expires 8h",
      ],
      load: async () => (await import("../commands/token.ts")).tokenCreate,
    },
    {
      path: "token bootstrap",
      summary: "Make the tenant and its administrator's first token, where roles are started one by one",
      details:
        "For the keeper of the database: `start` alone does this by itself. Exit code 1 when the tenant has people already.",
      options: [
        {
          flags: "--database-url <reference>",
          description: "your own PostgreSQL: file:PATH, env:NAME, or a URL without a password",
        },
      ],
      examples: ["token bootstrap --database-url env:DATABASE_URL"],
      load: async () => (await import("../commands/token-bootstrap.ts")).tokenBootstrap,
    },
    {
      path: "token list",
      summary: "Tokens, without their secrets",
      options: PAGE,
      formats: LISTS,
      examples: ["token list"],
      load: async () => (await import("../commands/token.ts")).tokenList,
    },
    {
      path: "token revoke",
      summary: "End a token now; people only",
      arguments: [{ name: "<id>", description: "as `token list` gives it" }],
      examples: ["token revoke 7f3a"],
      load: async () => (await import("../commands/token.ts")).tokenRevoke,
    },
  ],
};
