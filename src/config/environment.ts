import { homedir, hostname } from "node:os";

/** What the machine says: handed to the loaders, so that tests say it themselves. */
export interface Environment {
  variables: Readonly<Record<string, string | undefined>>;
  homeDir: string;
  workingDir: string;
  hostName: string;
}

/** The only place that reads the process's own environment. */
export function processEnvironment(): Environment {
  return { variables: process.env, homeDir: homedir(), workingDir: process.cwd(), hostName: hostname() };
}

/** Variables that are not settings of the file: of the client, of the program's tests, of its launcher. */
const OTHER_VARIABLES = [
  "CONTINUUM_CONFIG",
  "CONTINUUM_URL",
  "CONTINUUM_TOKEN",
  "CONTINUUM_DEBUG",
  "CONTINUUM_NODE",
  "CONTINUUM_VECTORS",
] as const;

/** What Kubernetes sets in every pod beside a service named `continuum…`; never a setting of ours. */
const SERVICE_LINK =
  /^CONTINUUM(_[A-Z0-9]+)*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$|^CONTINUUM_PORT$/;

/** True when the name looks like a setting of ours, so that a misspelt one is an error and not silence. */
export function claimsToBeSetting(name: string): boolean {
  if (!name.startsWith("CONTINUUM_") || SERVICE_LINK.test(name)) return false;
  return !name.startsWith("CONTINUUM_TEST_") && !(OTHER_VARIABLES as readonly string[]).includes(name);
}

export function otherVariableNames(): readonly string[] {
  return OTHER_VARIABLES;
}
