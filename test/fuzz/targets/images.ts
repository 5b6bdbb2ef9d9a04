import fc from "fast-check";
import { ContinuumError } from "../../../src/core/error.ts";
import { parseImageReference, serverOf } from "../../../src/drivers/images/image-reference.ts";
import { bundleSignatures, simpleSignatures } from "../../../src/drivers/images/oci/attached-signatures.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { mutated } from "../mutations.ts";
import { checkLine, holds } from "../violation.ts";

const DIGEST = `sha256:${"4f".repeat(32)}`;
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const NAMES = [`ghcr.io/team/churn@${DIGEST}`, `localhost:5000/a/b__c-d.e@${DIGEST}`, `[::1]:443/x@${DIGEST}`];

const LAYER = { mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", digest: DIGEST, size: 2 };
const ANSWERS = [
  { layers: [{ ...LAYER, annotations: { "dev.cosignproject.cosign/signature": "MEQ=" } }] },
  {
    manifests: [
      { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: DIGEST, size: 9, artifactType: BUNDLE },
    ],
  },
  { layers: [{ mediaType: BUNDLE, digest: DIGEST, size: 2 }], annotations: { "dev.sigstore.bundle.content": "x" } },
].map((answer) => JSON.stringify(answer));

type Input = { name: Uint8Array } | { answer: Uint8Array };

/** Names of images as a plan has them, and what a registry answers about one. */
export const images: FuzzTarget = {
  name: "images",
  share: 20,
  open: async () =>
    openTarget<Input>({
      inputs: fc.oneof(
        mutated(NAMES, ["@", "//", "/..", ":80", "%2f", "?x", "localhost", "u:p@"]).map((name) => ({ name })),
        mutated(ANSWERS, [DIGEST, BUNDLE, '"layers":', '"manifests":']).map((answer) => ({ answer })),
      ),
      bytesOf: (input) => ("name" in input ? input.name : input.answer).length,
      feed: async (input) => ("name" in input ? feedName(input.name) : await feedAnswer(input.answer)),
    }),
};

function feedName(bytes: Uint8Array): string {
  const parsed = parseImageReference(Buffer.from(bytes).toString("utf8"));
  if (!parsed.ok) {
    checkLine(parsed.problem.message);
    return "malformed";
  }
  const { registry, repository, digest } = parsed.value;
  const text = `https://${serverOf(registry)}/v2/${repository}/manifests/${digest}`;
  if (!URL.canParse(text)) return "no-address";
  const url = new URL(text);
  holds(url.username === "" && url.search === "" && url.hash === "", "a name made an address with more than a path");
  holds(url.pathname === `/v2/${repository}/manifests/${digest}`, "a name led to another path");
  return "taken";
}

/** The same bytes wherever the registry is asked; whatever they are, there is an answer or a failure with a code. */
async function feedAnswer(bytes: Uint8Array): Promise<string> {
  const answer = { status: 200, headers: {}, body: Buffer.from(bytes) };
  const registry = { get: async () => answer, getByDigest: async () => answer, referrers: async () => answer };
  const ends = await Promise.allSettled([simpleSignatures(registry, DIGEST), bundleSignatures(registry, DIGEST)]);
  const codes = ends.map((end) => {
    if (end.status === "fulfilled") return end.value.length > 0 ? "read" : "unsigned";
    if (!(end.reason instanceof ContinuumError)) throw end.reason;
    checkLine(end.reason.message);
    holds(end.reason.code.startsWith("registry-"), "a registry's answer failed with another's code");
    return end.reason.code;
  });
  return codes.join(" ");
}
