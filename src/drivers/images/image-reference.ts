import type { Parsed } from "../../core/error.ts";

/** A reference to an image, taken apart. */
export interface ImageReference {
  /** Host and port as written, in lower case: what the operator's lists and the credentials name. */
  registry: string;
  repository: string;
  /** `sha256:...` */
  digest: string;
}

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;
/** As the OCI distribution specification has it. */
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** The name that Docker Hub goes by, and the host that speaks the registry's protocol for it. */
const DOCKER_HUB = "docker.io";
const DOCKER_HUB_HOST = "registry-1.docker.io";

/**
 * Reads `registry/repository@sha256:<64 hex>`. The registry is always written out: a short name would mean Docker Hub to
 * one program and another registry to the next. A tag beside the digest is refused, since it says nothing.
 */
export function parseImageReference(reference: string): Parsed<ImageReference> {
  const [name = "", digest = "", ...more] = reference.split("@");
  const slash = name.indexOf("/");
  const [registry, repository] = [name.slice(0, Math.max(slash, 0)).toLowerCase(), name.slice(slash + 1)];
  const isHost = HOST.test(registry) && (/[.:]/.test(registry) || registry === "localhost");
  if (slash < 1 || !isHost) return problem("must begin with the registry: registry.example.com/repository@sha256:...");
  if (more.length > 0 || !DIGEST.test(digest)) return problem("must end with @sha256: and 64 hexadecimal digits");
  if (repository.length > 255 || !REPOSITORY.test(repository))
    return problem("must name a repository in lower case and without a tag, between the registry and the digest");
  const isShort = registry === DOCKER_HUB && !repository.includes("/");
  return { ok: true, value: { registry, repository: isShort ? `library/${repository}` : repository, digest } };
}

/** The host and port that answer for a registry. */
export function serverOf(registry: string): string {
  return registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry;
}

function problem(message: string): Parsed<never> {
  return { ok: false, problem: { path: "", message } };
}
