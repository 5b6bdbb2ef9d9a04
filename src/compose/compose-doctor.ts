import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DoctorOptions } from "../config/doctor-options.ts";
import type { Config } from "../config/schema.ts";
import type { DoctorFinding } from "../core/doctor/finding.ts";
import { diagnose } from "../doctor/diagnose.ts";
import type { ArtifactLook } from "../doctor/policy.ts";
import { openLocalArtifacts } from "../drivers/artifacts/local/local-artifacts.ts";
import { storeKey } from "../drivers/artifacts/sealed-object.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import { artifactStoreOptions } from "./compose-artifacts.ts";

/** Looks at the set-up that these settings describe. */
export function composeDoctor(options: DoctorOptions, { version }: { version: string }): Promise<DoctorFinding[]> {
  return diagnose(options, { version, artifacts: artifactLook(options.config), nowMs: Date.now });
}

function artifactLook(config: Config): ArtifactLook {
  const { dataDir, artifacts, tenant } = config;
  const root = join(dataDir, "artifacts");
  const readKey = () => localSecrets({ environment: process.env }).read(artifacts.keyReference);
  const holdsAnything = async () => (await readdir(root).catch(() => [])).length > 0;
  return {
    keyIsMade: artifacts.keyReference === `file:${join(dataDir, "keys", "artifact-store.key")}`,
    key: async () => storeKey(await readKey()).id.toString("hex"),
    holdsAnything,
    check: async () => {
      // Opening the store makes its folder, and a doctor makes nothing.
      if (!(await holdsAnything())) return { objects: 0 };
      const store = await openLocalArtifacts(await artifactStoreOptions(config));
      const found = await store.list(tenant);
      if (found.length === 0) throw new Error("it finds nothing of this tenant in a store that is not empty");
      return { objects: found.length };
    },
  };
}
