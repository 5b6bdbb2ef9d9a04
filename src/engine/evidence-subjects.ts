import type { Plan } from "../core/plan/schema.ts";

/** What a plan's evidence may be about: the artifact's plaintext, the canonical plan, the image. */
export function evidenceSubjects({ spec }: Plan, planDigest: string): string[] {
  const image = spec.model.image?.split("@").at(-1);
  return [storeDigest(spec.model.artifact), planDigest, image].filter((digest) => digest !== undefined);
}

/** The digest of an artifact in the encrypted store; undefined for any other reference. */
export function storeDigest(reference: string): string | undefined {
  return reference.startsWith("store:") ? reference.slice("store:".length) : undefined;
}
