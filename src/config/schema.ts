import { z } from "zod";
import { peopleSettings, trustedProxies } from "./people-schema.ts";
import { tenantsSettings } from "./tenants-schema.ts";

/**
 * Every setting, its shape and its default. Strict: a key that is not here is an error. Secrets stand here by
 * reference only (`file:PATH` or `env:NAME`), so that a configuration file can be committed and shown.
 */

const port = z.number().int().min(0).max(65_535);
const host = z.string().min(1).max(253);
const secretReference = z
  .string()
  .max(4096)
  .regex(/^(file:.+|env:[A-Za-z_][A-Za-z0-9_]*)$/, "must be file:PATH or env:NAME");
const databaseUrl = z.string().min(1).max(4096);
const databaseRole = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a PostgreSQL role of 1 to 63 of a-z, 0-9 and _, with no digit first");
const hostList = z
  .string()
  .max(4096)
  .regex(
    /^[A-Za-z0-9._:[\]-]*( *, *[A-Za-z0-9._:[\]-]+)*$/,
    "must be host names or addresses with commas between them",
  );
const registryList = z
  .string()
  .max(4096)
  .regex(
    /^[a-z0-9.:[\]-]*( *, *[a-z0-9.:[\]-]+)*$/,
    "must be registries as images name them, such as ghcr.io or registry.example.com:5000, with commas between them",
  );
const fieldList = z
  .string()
  .max(8192)
  .regex(/^[^,"\\]*(,[^,"\\]*)*$/, "must be names of fields with commas between them");
const days = z.number().int().min(0).max(36_500);
const mebibyte = 1024 * 1024;

export const configSchema = z.strictObject({
  dataDir: z.string().min(1).max(4096).describe("Folder for everything this host keeps; `~/` is the home folder"),
  hostName: z.string().min(1).max(253).describe("The name under which jobs find this host's endpoints"),
  tenant: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -, at most 40 characters")
    .default("default")
    .describe("The tenant that the first start creates"),
  logLevel: z
    .enum(["debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("The least urgent level that is logged"),
  databaseUrl: databaseUrl
    .optional()
    .describe(
      "Your own PostgreSQL (15 or newer): a postgres:// URL without a password, file:PATH or env:NAME; left out, an embedded one starts",
    ),
  policyDir: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe(
      "Folder of policies beside the shipped set, or of a whole set (with its schema.cedarschema); a start whose policies are not those in force refuses",
    ),
  migrateAtStart: z
    .boolean()
    .default(false)
    .describe(
      "Let `start` bring a database of your own to this program's schema; otherwise `continuum migrate` does, as a step of the release",
    ),
  databaseRoles: z
    .strictObject({
      api: databaseRole
        .default("continuum_api")
        .describe("The role in your PostgreSQL that sees one tenant at a time; `migrate` gives it its rights"),
      worker: databaseRole
        .default("continuum_worker")
        .describe("The role in your PostgreSQL that works for all tenants; `migrate` gives it its rights"),
    })
    .prefault({}),
  allowPrivilegedDatabaseRole: z
    .boolean()
    .default(false)
    .describe(
      "Let the API and workers log in to your PostgreSQL as its owner or a superuser, whom row-level security does not hold",
    ),
  ...peopleSettings,
  ...tenantsSettings,
  api: z
    .strictObject({
      host: host.default("127.0.0.1").describe("Address to listen on"),
      port: port.default(7400).describe("Port to listen on; 0 picks a free one"),
      databaseUrl: databaseUrl
        .optional()
        .describe("The API's own login to your PostgreSQL, a member of databaseRoles.api; default databaseUrl"),
      allowInsecureHttp: z.boolean().default(false).describe("Allow plain HTTP on an address other than loopback"),
      trustedProxies,
    })
    .prefault({}),
  worker: z
    .strictObject({
      count: z.number().int().min(1).max(64).default(2).describe("Worker processes"),
      databaseUrl: databaseUrl
        .optional()
        .describe("The workers' own login to your PostgreSQL, a member of databaseRoles.worker; default databaseUrl"),
      opsHost: host
        .default("127.0.0.1")
        .describe(
          "Address of that port; another than loopback is for probes and scrapers: nothing secret is told there",
        ),
      opsPort: port
        .default(7410)
        .describe(
          "Port of the first worker's /metrics, /healthz and /readyz on loopback; each further one has the next; 0 picks free ones",
        ),
    })
    .prefault({}),
  monitor: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe("Let `start` run the monitor beside the serving process; without it nothing is told of drift"),
      captureBytesPerSecondMax: z
        .number()
        .int()
        .min(65_536)
        .default(mebibyte / 2)
        .describe(
          "Bytes a second of this host's captures that are read, about five hundred small requests; of what grows faster a random sample, and which share is shown",
        ),
      opsHost: host.default("127.0.0.1").describe("Address of the monitor's own port"),
      opsPort: port
        .optional()
        .describe(
          "Port of the monitor's /metrics, /healthz and /readyz; default the one before worker.opsPort (7409), 0 picks a free one",
        ),
    })
    .prefault({}),
  serving: z
    .strictObject({
      host: host.default("127.0.0.1").describe("Address that invocations come in at"),
      port: port.default(7401).describe("Port that invocations come in at; 0 picks a free one"),
      captureEnabled: z.boolean().default(true).describe("Write requests and answers beside the server for monitoring"),
      captureFields: fieldList
        .default("instances, inputs, predictions, outputs, data, label, probability, probabilities, score, scores")
        .describe("Names under which captured numbers and truth values are kept, with commas; all else is left out"),
      captureTextFields: fieldList.default("").describe("Names under which captured texts are kept as well"),
      capturePseudonymFields: fieldList
        .default("")
        .describe("Names of identifiers, which are captured as pseudonyms that differ from tenant to tenant"),
      captureKeyReference: secretReference
        .optional()
        .describe("Key of those pseudonyms, the same for every host; default file:<dataDir>/keys/capture.key"),
      metricsNamesForAll: z
        .boolean()
        .default(false)
        .describe("Show tenants, endpoints and versions on /metrics of the invocations' port without a token"),
    })
    .prefault({}),
  audit: z
    .strictObject({
      checkpointSeconds: z
        .number()
        .int()
        .min(1)
        .max(86_400)
        .default(60)
        .describe("A log that grew is signed this often, and soon after each rollout ended"),
      keyReference: secretReference
        .optional()
        .describe(
          "Key that checkpoints are signed with, the same for every API and worker; default file:<dataDir>/keys/audit-checkpoints.key",
        ),
      previousKeyReference: secretReference
        .optional()
        .describe("The key before it, which signs as well while whoever verifies changes over"),
      directory: z
        .string()
        .min(1)
        .max(4096)
        .optional()
        .describe("Folder that every checkpoint is published to; default <dataDir>/checkpoints; `off` for none"),
      witnessUrl: z
        .url({ protocol: /^https?$/ })
        .max(2048)
        .optional()
        .describe("A witness that signs that the logs have only grown (C2SP tlog-witness); needs witnessKeys"),
      witnessKeys: z
        .string()
        .max(32_768)
        .default("")
        .describe("The witness's public keys in the vkey form, with spaces between them"),
    })
    .prefault({}),
  policy: z
    .strictObject({
      onDifference: z
        .enum(["refuse", "keep-active"])
        .default("refuse")
        .describe(
          "When the program's policy files are not those in force: refuse to start, or start with those in force and leave the files aside",
        ),
      keyReference: secretReference
        .optional()
        .describe(
          "Key that policy bundles are signed with, the same for every API; default file:<dataDir>/keys/policy.key",
        ),
      bundleDays: z.number().int().min(1).max(90).default(7).describe("Days that a pulled policy bundle counts"),
    })
    .prefault({}),
  approvals: z
    .strictObject({
      expirySeconds: z
        .number()
        .int()
        .min(60)
        .max(30 * 86_400)
        .default(86_400)
        .describe("How long a rollout waits for its approvals before it ends as Expired"),
    })
    .prefault({}),
  retention: z
    .strictObject({
      eventsDays: days
        .default(365)
        .describe("Days that the history of an ended rollout is kept; 0 keeps it for good. Audit entries always stay"),
      captureDays: days.default(30).describe("Days that captured requests and answers are kept; 0 keeps them for good"),
      monitorDays: days
        .default(30)
        .describe("Days that the monitor's windows and figures are kept; 0 keeps them for good"),
      deliveriesDays: days
        .default(30)
        .describe("Days that webhook messages are kept after they were delivered or given up; 0 keeps them for good"),
      idempotencyDays: days
        .default(1)
        .describe("Days that the answer to an idempotency key is kept, 1 at least; 0 keeps it for good"),
    })
    .prefault({}),
  artifacts: z
    .strictObject({
      keyReference: secretReference
        .optional()
        .describe("Key of the encrypted store; default file:<dataDir>/keys/artifact-store.key"),
      previousKeyReference: secretReference
        .optional()
        .describe("The key before it, which still opens what it sealed, until `continuum artifact rekey` was run"),
      maxBytes: z
        .number()
        .int()
        .min(1)
        .max(16 * 1024 * mebibyte)
        .default(512 * mebibyte)
        .describe("Largest artifact that is taken in"),
    })
    .prefault({}),
  images: z
    .strictObject({
      registries: registryList
        .default("")
        .describe("Registries whose images plans may name, as the names of images have them; with commas"),
      internalRegistries: registryList
        .default("")
        .describe("Further registries, inside your network: only these may have private addresses"),
      plainHttpRegistries: registryList.default("").describe("Those of both lists that are spoken to without TLS"),
      credentialsReference: secretReference
        .optional()
        .describe("Users and passwords for registries, in the form that `docker login` writes (config.json)"),
      authoritiesFile: z
        .string()
        .min(1)
        .max(4096)
        .optional()
        .describe("Certificates of further authorities that registries may have theirs from (PEM)"),
    })
    .prefault({}),
  webhooks: z
    .strictObject({
      internalHosts: hostList
        .default("")
        .describe("Hosts inside your network that webhooks may reach, on any port; names or addresses with commas"),
      plainHttpHosts: hostList
        .default("")
        .describe("Hosts that webhooks may reach without TLS; names or addresses with commas"),
      linkBaseUrl: z
        .url({ protocol: /^https?$/ })
        .max(2048)
        .optional()
        .describe("Where people find the API; messages to webhooks then carry a link"),
      keyReference: secretReference
        .optional()
        .describe(
          "Key that webhook secrets are sealed with, the same for every API and worker; default file:<dataDir>/keys/webhooks.key",
        ),
    })
    .prefault({}),
});

type Parsed = z.infer<typeof configSchema>;

/** The settings in force: `dataDir` is absolute and the references that have a default are filled in. */
export interface Config
  extends Omit<Parsed, "api" | "artifacts" | "audit" | "databaseUrl" | "policy" | "serving" | "webhooks" | "worker"> {
  api: Omit<Parsed["api"], "databaseUrl"> & { databaseUrl?: string };
  worker: Omit<Parsed["worker"], "databaseUrl"> & { databaseUrl?: string };
  artifacts: Parsed["artifacts"] & { keyReference: string };
  serving: Parsed["serving"] & { captureKeyReference: string };
  webhooks: Parsed["webhooks"] & { keyReference: string };
  /** `directory` is absolute; null when nothing is to be published there. */
  audit: Omit<Parsed["audit"], "directory"> & { keyReference: string; directory: string | null };
  policy: Parsed["policy"] & { keyReference: string };
  /** Resolved: it may hold a password, so it is never printed or logged. Undefined means the embedded server. */
  databaseUrl?: string;
}

/** The JSON Schema of `continuum.yaml`, for editors and checks. Nothing is required in a file. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema.partial(), { io: "input" });
  return { ...schema, $id: "urn:continuum:config:v1", title: "continuum.yaml" };
}

export type SettingKind = "text" | "integer" | "flag";

/** One setting: its path in the file and, from that, its name in the environment. */
export interface Setting {
  path: readonly string[];
  kind: SettingKind;
  environmentName: string;
  /** Of an integer. */
  range?: { min: number; max: number };
}

/** Every setting of the schema; `api.allowInsecureHttp` is `CONTINUUM_API_ALLOW_INSECURE_HTTP`. */
export function settings(): Setting[] {
  return leaves(configJsonSchema(), []);
}

function leaves(schema: Record<string, unknown>, path: string[]): Setting[] {
  const properties = schema["properties"] as Record<string, Record<string, unknown>> | undefined;
  if (properties !== undefined)
    return Object.entries(properties).flatMap(([key, value]) => leaves(value, [...path, key]));
  const kind: SettingKind = schema["type"] === "integer" ? "integer" : schema["type"] === "boolean" ? "flag" : "text";
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
  const range =
    kind === "integer" && minimum !== undefined && maximum !== undefined
      ? { range: { min: minimum, max: maximum } }
      : {};
  return [{ path, kind, environmentName: `CONTINUUM_${path.map(upperSnake).join("_")}`, ...range }];
}

function upperSnake(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
