import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { imagesConformance } from "../images.conformance.ts";
import { memoryImages } from "./memory-images.ts";

const NAME = `registry.example.com/team/churn@sha256:${createHash("sha256").update("an image").digest("hex")}`;

imagesConformance("memory", async () => {
  const images = memoryImages();
  return {
    images,
    publish: async (signatures) => {
      images.put(NAME, signatures);
      return NAME;
    },
  };
});

test("an image that was removed is gone", async () => {
  const images = memoryImages();
  images.put(NAME, []);
  images.remove(NAME);
  await expect(images.read(NAME)).rejects.toMatchObject({ code: "image-not-found" });
});
