import { ContinuumError } from "../../../core/error.ts";
import { parseImageReference } from "../image-reference.ts";
import type { ImageErrorCode, Images } from "../images.ts";
import { bundleSignatures, hasImage, simpleSignatures } from "./attached-signatures.ts";
import { RegistryClient } from "./registry-client.ts";
import { credentialsFor } from "./registry-credentials.ts";
import { type RegistryRules, type Resolve, systemResolve } from "./registry-rules.ts";

export interface OciImagesOptions {
  rules: RegistryRules;
  /** The bytes of a file such as `docker login` writes; read anew for each image, so that it can be replaced. */
  credentials?: () => Promise<Uint8Array>;
  /** Certificates of authorities to trust instead of the usual ones (PEM). */
  authorities?: readonly string[];
  /** Everything about one image. Default 20 s. */
  timeoutMs?: number;
  /** How a name is turned into addresses. Default: as the system does. */
  resolve?: Resolve;
}

const TIMEOUT_MS = 20_000;

/** Images in registries that speak the OCI distribution specification. */
export function ociImages(options: OciImagesOptions): Images {
  return {
    async read(text) {
      const reference = parseImageReference(text);
      if (!reference.ok)
        throw new ContinuumError<ImageErrorCode>("image-malformed", `the image's name ${reference.problem.message}`);
      const { registry, digest } = reference.value;
      const client = new RegistryClient(reference.value, {
        rules: options.rules,
        resolve: options.resolve ?? systemResolve,
        signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
        credentials: async () =>
          options.credentials === undefined ? undefined : credentialsFor(registry, await options.credentials()),
        ...(options.authorities === undefined ? {} : { authorities: options.authorities }),
      });
      if (!(await hasImage(client, digest)))
        throw new ContinuumError<ImageErrorCode>("image-not-found", `the registry ${registry} holds no such image`);
      const older = await simpleSignatures(client, digest);
      return { digest, signatures: [...older, ...(await bundleSignatures(client, digest))] };
    },
  };
}
