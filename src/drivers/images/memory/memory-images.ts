import { ContinuumError } from "../../../core/error.ts";
import { parseImageReference } from "../image-reference.ts";
import type { ImageErrorCode, ImageSignature, Images } from "../images.ts";

export interface MemoryImages extends Images {
  /** Puts an image there, or gives the one that is there these signatures instead of its own. */
  put(reference: string, signatures: readonly ImageSignature[]): void;
  remove(reference: string): void;
}

/** Images that lie in this process, for tests of what reads them. */
export function memoryImages(): MemoryImages {
  const images = new Map<string, readonly ImageSignature[]>();
  return {
    put: (reference, signatures) => void images.set(reference, signatures),
    remove: (reference) => void images.delete(reference),
    async read(reference) {
      const parsed = parseImageReference(reference);
      if (!parsed.ok) throw problem("image-malformed", `the image's name ${parsed.problem.message}`);
      const signatures = images.get(reference);
      if (signatures === undefined) throw problem("image-not-found", "there is no such image");
      return { digest: parsed.value.digest, signatures };
    },
  };
}

function problem(code: ImageErrorCode, message: string): ContinuumError<ImageErrorCode> {
  return new ContinuumError<ImageErrorCode>(code, message);
}
