import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import type { Images } from "../drivers/images/images.ts";
import { ociImages } from "../drivers/images/oci/oci-images.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";

/** The registries that plans may name images of; none, until the operator names some. */
export function composeImages(config: Config): Images {
  const { registries, internalRegistries, plainHttpRegistries, credentialsReference } = config.images;
  const secrets = localSecrets({ environment: process.env });
  const authorities = readAuthorities(config.images.authoritiesFile);
  return ociImages({
    rules: {
      registries: namesOf("images.registries", registries),
      internalRegistries: namesOf("images.internalRegistries", internalRegistries),
      plainHttpRegistries: namesOf("images.plainHttpRegistries", plainHttpRegistries),
    },
    ...(credentialsReference === undefined ? {} : { credentials: () => secrets.read(credentialsReference) }),
    ...(authorities === undefined ? {} : { authorities }),
  });
}

function namesOf(setting: string, list: string): ReadonlySet<string> {
  const names = list.split(",").map((name) => name.trim());
  const wrong = names.find((name) => name !== "" && !URL.canParse(`https://${name}/`));
  if (wrong !== undefined) {
    throw new ContinuumError(
      "bad-registry",
      `bad setting ${setting}, ${JSON.stringify(wrong)} is no registry, must be a host such as ghcr.io, with its port where images name one`,
    );
  }
  return new Set(names.filter((name) => name !== ""));
}

/** Beside the usual authorities: a registry of one's own does not shut out the public ones. */
function readAuthorities(file: string | undefined): string[] | undefined {
  if (file === undefined) return undefined;
  let pem = "";
  try {
    pem = readFileSync(file, "utf8");
  } catch (cause) {
    throw new ContinuumError("bad-authorities", `images.authoritiesFile cannot be read: ${file}`, { cause });
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----"))
    throw new ContinuumError("bad-authorities", `images.authoritiesFile holds no certificate (PEM): ${file}`);
  return [...getCACertificates("default"), pem];
}
