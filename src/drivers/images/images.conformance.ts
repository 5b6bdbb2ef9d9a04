import { describe, expect, test } from "vitest";
import type { ImageSignature, Images } from "./images.ts";

export interface ImagesUnderTest {
  images: Images;
  /** Puts an image with these signatures where the driver reads, and answers its name. */
  publish(signatures: readonly ImageSignature[]): Promise<string>;
  close?(): Promise<void>;
}

const SIMPLE: ImageSignature = {
  form: "simple-signing",
  payload: Buffer.from('{"critical":{"type":"cosign container image signature"}}'),
  signature: "MEQCIFAvWgzQ",
};
const KEYLESS: ImageSignature = {
  form: "simple-signing",
  payload: Buffer.from('{"critical":{}}'),
  signature: "MEUCIQ==",
  certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  chain: "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n",
  rekorBundle: '{"SignedEntryTimestamp":"MEQ="}',
};
const BUNDLE: ImageSignature = { form: "bundle", bundle: Buffer.from('{"mediaType":"a bundle","text":"ü"}') };
const ABSENT = "0".repeat(64);

/** What every reader of images must hold to. */
export function imagesConformance(name: string, make: () => Promise<ImagesUnderTest>): void {
  const run = async (work: (under: ImagesUnderTest) => Promise<void>) => {
    const under = await make();
    try {
      await work(under);
    } finally {
      await under.close?.();
    }
  };

  describe(`images: ${name}`, () => {
    test.each<[string, ImageSignature[]]>([
      ["no signature", []],
      ["one in the older form", [SIMPLE]],
      ["one in the newer form", [BUNDLE]],
      ["several of both, with certificates", [SIMPLE, KEYLESS, BUNDLE]],
    ])("answers an image with %s, byte for byte", (_what, signatures) =>
      run(async ({ images, publish }) => {
        const reference = await publish(signatures);
        const read = await images.read(reference);
        expect(read.digest).toBe(reference.slice(reference.indexOf("@") + 1));
        expect(read.signatures.map(readable)).toEqual(signatures.map(readable));
      }),
    );

    test("says what is not there, and takes no image for another", () =>
      run(async ({ images, publish }) => {
        const reference = await publish([SIMPLE]);
        const other = reference.replace(/[0-9a-f]{64}$/, ABSENT);
        await expect(images.read(other)).rejects.toMatchObject({ code: "image-not-found", retryable: false });
      }));

    test("refuses what is no name of an image with its digest", () =>
      run(async ({ images, publish }) => {
        const reference = await publish([]);
        const digest = reference.slice(reference.indexOf("@"));
        for (const bad of [
          "",
          digest,
          `churn${digest}`,
          `team/churn${digest}`,
          reference.replace(digest, ""),
          reference.replace(digest, ":v1"),
          reference.replace("sha256", "sha512"),
          `${reference}a`,
          `https://${reference}`,
          reference.replace("/", "/../"),
        ])
          await expect(images.read(bad), bad).rejects.toMatchObject({ code: "image-malformed", retryable: false });
      }));
  });
}

function readable(signature: ImageSignature): unknown {
  return signature.form === "bundle"
    ? { ...signature, bundle: Buffer.from(signature.bundle).toString("utf8") }
    : { ...signature, payload: Buffer.from(signature.payload).toString("utf8") };
}
