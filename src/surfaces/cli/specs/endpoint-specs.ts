import type { CommandGroup } from "../command-spec.ts";
import { ENVIRONMENT_NAMES } from "./plan-words.ts";
import { DATABASE, ENDPOINT, ENDPOINT_NAME, LISTS, PAGE } from "./shared-options.ts";

export const endpointGroup: CommandGroup = {
  name: "endpoint",
  summary: "What serves: list, ask, scale and remove endpoints",
  commands: [
    {
      path: "endpoint list",
      summary: "Endpoints of the tenant",
      options: [
        { flags: "-e, --environment <environment>", description: "only there", choices: ENVIRONMENT_NAMES },
        ...PAGE,
      ],
      formats: LISTS,
      examples: ["endpoint list", "endpoint list -e production -o json"],
      load: async () => (await import("../commands/endpoint-list.ts")).endpointList,
    },
    {
      path: "endpoint get",
      summary: "One endpoint, and what its target reports now",
      arguments: [ENDPOINT_NAME],
      options: ENDPOINT,
      examples: ["endpoint get churn -e staging"],
      load: async () => (await import("../commands/endpoint-get.ts")).endpointGet,
    },
    {
      path: "endpoint invoke",
      summary: "Send one request to the model and print its answer",
      arguments: [ENDPOINT_NAME],
      options: [
        ...ENDPOINT,
        { flags: "-d, --data <file>", description: "the request, CSV or JSON; - is standard input", required: true },
        { flags: "--content-type <type>", description: "text/csv or application/json; else from the file's name" },
        { flags: "--invoke-url <url>", description: "where to send it; else the endpoint says" },
      ],
      examples: [
        "endpoint invoke churn -e staging --data rows.csv",
        "endpoint invoke churn -e staging --data - < rows.json",
      ],
      load: async () => (await import("../commands/endpoint-invoke.ts")).endpointInvoke,
    },
    {
      path: "endpoint scale",
      summary: "Change the number of instances, within the policy",
      arguments: [ENDPOINT_NAME],
      options: [...ENDPOINT, { flags: "--instances <count>", description: "how many from now on", required: true }],
      examples: ["endpoint scale churn -e staging --instances 2"],
      load: async () => (await import("../commands/endpoint-change.ts")).endpointScale,
    },
    {
      path: "endpoint delete",
      summary: "Remove an endpoint and what it holds; people only",
      arguments: [ENDPOINT_NAME],
      options: [...ENDPOINT, { flags: "--yes", description: "do not ask" }],
      examples: ["endpoint delete churn -e staging --yes"],
      load: async () => (await import("../commands/endpoint-change.ts")).endpointDelete,
    },
  ],
};

export const artifactGroup: CommandGroup = {
  name: "artifact",
  summary: "Models in the encrypted store",
  commands: [
    {
      path: "artifact import",
      summary: "Put a file into the store under the SHA-256 of its bytes",
      arguments: [{ name: "<file>", description: "the model" }],
      examples: ["artifact import model.onnx"],
      load: async () => (await import("../commands/artifact.ts")).artifactImport,
    },
    {
      path: "artifact list",
      summary: "What the store holds",
      options: PAGE,
      formats: LISTS,
      examples: ["artifact list"],
      load: async () => (await import("../commands/artifact.ts")).artifactList,
    },
    {
      path: "artifact rekey",
      summary: "Seal every artifact anew after the store's key was changed, while the server runs or stands still",
      details:
        "Set artifacts.keyReference to the new key and artifacts.previousKeyReference to the old one and start again:\n" +
        "both are read from then on. This moves what the old key sealed; broken off, it is run again. Then take the\n" +
        "previous key out of the settings: it opens nothing more. Exit code 1 when an artifact could not be opened.",
      options: [DATABASE],
      examples: ["artifact rekey", "artifact rekey --data-dir /var/lib/continuum -o json"],
      load: async () => (await import("../commands/artifact-rekey.ts")).artifactRekey,
    },
  ],
};
