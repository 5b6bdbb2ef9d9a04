import { z } from "zod";
import { ContinuumError } from "../../../core/error.ts";
import type { ImageErrorCode } from "../images.ts";

/** What a registry is told of us; `authorization` is the value of the header, of the scheme Basic. */
export interface RegistryCredentials {
  authorization: string;
}

const entrySchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});
const fileSchema = z.object({ auths: z.record(z.string(), entrySchema).default({}) });

/** What Docker Hub is called in such files. */
const DOCKER_HUB_KEYS = ["https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io"];

/**
 * The credentials for one registry out of a file such as `docker login` writes; undefined for a registry that it does
 * not name. Helper programs are never run: an entry that leaves the password to one is an error and not an anonymous
 * request, which would fail later and say less. Error: `registry-refused`. Nothing of the file stands in an error.
 */
export function credentialsFor(registry: string, file: Uint8Array): RegistryCredentials | undefined {
  const { auths } = readFile(file);
  const names = [registry, `https://${registry}`, `https://${registry}/`, `https://${registry}/v2/`];
  if (registry === "docker.io") names.push(...DOCKER_HUB_KEYS);
  const name = names.find((each) => Object.hasOwn(auths, each));
  const entry = name === undefined ? undefined : auths[name];
  if (entry === undefined) return undefined;
  const { auth = "", username = "", password = "", identitytoken = "" } = entry;
  if (identitytoken === "" && username !== "" && password !== "")
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
  const pair = Buffer.from(auth, "base64");
  if (identitytoken === "" && auth !== "" && pair.includes(":") && pair.toString("base64") === auth)
    return { authorization: `Basic ${auth}` };
  throw refused(
    `the registries' credentials hold no user and password for ${registry}; credential helpers and identity tokens are not used`,
  );
}

function readFile(file: Uint8Array): z.infer<typeof fileSchema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file));
  } catch {
    throw refused("the registries' credentials are no JSON such as `docker login` writes");
  }
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success)
    throw refused("the registries' credentials must hold an object `auths` with an entry a registry");
  return parsed.data;
}

function refused(message: string): ContinuumError<ImageErrorCode> {
  return new ContinuumError<ImageErrorCode>("registry-refused", message);
}
