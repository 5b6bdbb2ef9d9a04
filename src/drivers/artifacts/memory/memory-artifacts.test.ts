import { artifactsConformance } from "../artifacts.conformance.ts";
import { MemoryArtifacts } from "./memory-artifacts.ts";

artifactsConformance("memory", async (options) => {
  const artifacts = new MemoryArtifacts(options);
  return {
    artifacts,
    async tamper(tenant, digest, change) {
      const object = artifacts.objects.get(tenant)?.get(digest) ?? Buffer.alloc(0);
      artifacts.objects.get(tenant)?.set(digest, change(object));
    },
  };
});
