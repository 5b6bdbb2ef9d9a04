import type { CommandGroup, OptionSpec } from "../command-spec.ts";
import { LISTS, PAGE } from "./shared-options.ts";

const EXPIRES: OptionSpec = { flags: "--expires <duration>", description: "how long the link works; 7d at most" };

export const personGroup: CommandGroup = {
  name: "person",
  summary: "People who sign in by a browser, with a passkey; people only",
  commands: [
    {
      path: "person list",
      summary: "People, their roles, and how they sign in",
      options: PAGE,
      formats: LISTS,
      examples: ["person list", "person list -o json"],
      load: async () => (await import("../commands/person.ts")).personList,
    },
    {
      path: "person invite",
      summary: "Let somebody register their first passkey, by a link that works once; default 24h",
      details: "Give the link to the person and to nobody else: whoever opens it first is that person from then on.",
      arguments: [{ name: "<person>", description: "their name here, such as ann" }],
      options: [
        {
          flags: "--role <role>",
          description: "approver, or such as approver@production; may be given several times",
          required: true,
          repeatable: true,
        },
        EXPIRES,
      ],
      examples: ["person invite ann --role approver", "person invite bob --role approver@production --expires 2h"],
      load: async () => (await import("../commands/person.ts")).personInvite,
    },
    {
      path: "person enroll",
      summary: "Register a first passkey of your own, by a link that works once; default 15m",
      details: "Further passkeys are registered on the page, after signing in by one that you have.",
      options: [EXPIRES, { flags: "--totp <code>", description: "a one-time code, when you have those already" }],
      examples: ["person enroll"],
      load: async () => (await import("../commands/person.ts")).personEnroll,
    },
    {
      path: "person reset",
      summary:
        "Remove a person's second factors and end their sessions, when they lost them; invite them anew afterwards",
      arguments: [{ name: "<person>", description: "as `person list` gives it" }],
      examples: ["person reset ann"],
      load: async () => (await import("../commands/person.ts")).personReset,
    },
  ],
};
