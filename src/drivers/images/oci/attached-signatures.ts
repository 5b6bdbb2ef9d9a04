import { z } from "zod";
import { ContinuumError } from "../../../core/error.ts";
import type { ImageErrorCode, ImageSignature } from "../images.ts";
import type { RegistryClient } from "./registry-client.ts";
import { malformedAnswer } from "./registry-rules.ts";

/**
 * Where signatures of an image lie. Sources: cosign `specs/SIGNATURE_SPEC.md` (the tag `sha256-<hex>.sig` with simple
 * signing) and `specs/BUNDLE_SPEC.md` (Sigstore bundles as referrers); OCI distribution 1.1, "Listing Referrers", with
 * the tag `sha256-<hex>` for registries that have no such list.
 */

type Registry = Pick<RegistryClient, "get" | "getByDigest" | "referrers">;

const MANIFESTS = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");
const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1";
const PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType";

const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
const PAYLOAD_BYTES_MAX = 64 * 1024;
const BUNDLE_BYTES_MAX = 1024 * 1024;
/** Whoever may push can attach as many as they like; more than this is no image that somebody signed in earnest. */
const SIGNATURES_MAX = 64;
const PAGES_MAX = 16;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const descriptor = z.object({
  mediaType: z.string(),
  digest,
  size: z.number().int().min(0),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
type Descriptor = z.infer<typeof descriptor>;
const manifestSchema = z.object({
  layers: z.array(descriptor).max(1024),
  annotations: z.record(z.string(), z.string()).optional(),
});
const indexSchema = z.object({ manifests: z.array(descriptor).max(10_000) });

/** Whether the image itself is there; its bytes are hashed. */
export async function hasImage(client: Registry, imageDigest: string): Promise<boolean> {
  const path = `manifests/${imageDigest}`;
  const found = await client.getByDigest({ path, accept: MANIFESTS, bytesMax: MANIFEST_BYTES_MAX }, imageDigest);
  return found !== undefined;
}

/** The older form; none where there is no such tag. */
export async function simpleSignatures(client: Registry, imageDigest: string): Promise<ImageSignature[]> {
  const path = `manifests/${tagOf(imageDigest)}.sig`;
  const answer = await client.get({ path, accept: MANIFESTS, bytesMax: MANIFEST_BYTES_MAX });
  if (answer === undefined) return [];
  const { layers } = read(manifestSchema, answer.body, "the manifest of the image's signatures");
  const signed = layers.filter(({ mediaType }) => mediaType === SIMPLE_SIGNING);
  requireFew(signed.length);
  const signatures: ImageSignature[] = [];
  for (const layer of signed) {
    const of = (name: string) => layer.annotations?.[name];
    const signature = of("dev.cosignproject.cosign/signature");
    if (signature === undefined || signature === "") continue;
    const [certificate, chain] = [of("dev.sigstore.cosign/certificate"), of("dev.sigstore.cosign/chain")];
    const rekorBundle = of("dev.sigstore.cosign/bundle");
    signatures.push({
      form: "simple-signing",
      payload: await blob(client, layer, PAYLOAD_BYTES_MAX),
      signature,
      ...(certificate === undefined ? {} : { certificate }),
      ...(chain === undefined ? {} : { chain }),
      ...(rekorBundle === undefined ? {} : { rekorBundle }),
    });
  }
  return signatures;
}

/** The newer form: bundles that refer to the image. Those that say of themselves to be no signature are left out. */
export async function bundleSignatures(client: Registry, imageDigest: string): Promise<ImageSignature[]> {
  const referrers = (await listedReferrers(client, imageDigest)) ?? (await taggedReferrers(client, imageDigest));
  const candidates = referrers.filter(
    ({ artifactType, annotations }) =>
      (artifactType === undefined || artifactType === BUNDLE) && mayBeSignature(annotations),
  );
  requireFew(candidates.length);
  const signatures: ImageSignature[] = [];
  for (const { digest: manifestDigest } of candidates) {
    const wanted = { path: `manifests/${manifestDigest}`, accept: MANIFESTS, bytesMax: MANIFEST_BYTES_MAX };
    const answer = await client.getByDigest(wanted, manifestDigest);
    // One that was deleted from the registry may stand in a list for a while.
    if (answer === undefined) continue;
    const { layers, annotations } = read(manifestSchema, answer.body, "the manifest of a referrer");
    if (!mayBeSignature(annotations)) continue;
    for (const layer of layers.filter(({ mediaType }) => mediaType === BUNDLE)) {
      requireFew(signatures.length + 1);
      signatures.push({ form: "bundle", bundle: await blob(client, layer, BUNDLE_BYTES_MAX) });
    }
  }
  return signatures;
}

/** Null where the registry has no list of referrers. */
async function listedReferrers(client: Registry, imageDigest: string): Promise<Descriptor[] | null> {
  const found: Descriptor[] = [];
  let query = `?artifactType=${encodeURIComponent(BUNDLE)}`;
  for (let page = 0; page < PAGES_MAX; page++) {
    const path = `referrers/${imageDigest}${query}`;
    const answer = await client.referrers({ path, accept: MANIFESTS, bytesMax: MANIFEST_BYTES_MAX });
    if (answer === "no-such-list") return page === 0 ? null : found;
    found.push(...read(indexSchema, answer.body, "the list of the image's referrers").manifests);
    // Only what comes after the question mark is taken from the link: the rest of the address is ours to say.
    const next = /<[^>?]*(\?[^>]*)>\s*;\s*rel="?next"?/i.exec(String(answer.headers["link"] ?? ""))?.[1];
    if (next === undefined) return found;
    query = next;
  }
  throw new ContinuumError<ImageErrorCode>("registry-too-large", "the image has more referrers than are read");
}

async function taggedReferrers(client: Registry, imageDigest: string): Promise<Descriptor[]> {
  const path = `manifests/${tagOf(imageDigest)}`;
  const answer = await client.get({ path, accept: MANIFESTS, bytesMax: MANIFEST_BYTES_MAX });
  return answer === undefined ? [] : read(indexSchema, answer.body, "the list of the image's referrers").manifests;
}

function mayBeSignature(annotations: Descriptor["annotations"]): boolean {
  const predicateType = annotations?.[PREDICATE_ANNOTATION];
  return predicateType === undefined || predicateType === SIGN_PREDICATE;
}

async function blob(client: Registry, layer: Descriptor, bytesMax: number): Promise<Uint8Array> {
  const wanted = { path: `blobs/${layer.digest}`, accept: "*/*", bytesMax };
  const answer = await client.getByDigest(wanted, layer.digest);
  if (answer === undefined) throw malformedAnswer(`the registry lists ${layer.digest} and does not hold it`);
  return answer.body;
}

/** `sha256:...` as tags have it, in which a colon may not stand. */
function tagOf(imageDigest: string): string {
  return imageDigest.replace(":", "-");
}

function requireFew(count: number): void {
  if (count <= SIGNATURES_MAX) return;
  throw new ContinuumError<ImageErrorCode>(
    "registry-too-large",
    `the image has more than ${SIGNATURES_MAX} signatures, which are more than are read`,
  );
}

function read<T>(schema: z.ZodType<T>, body: Buffer, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw malformedAnswer(`${what} is not JSON`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw malformedAnswer(`${what} does not have the form that the OCI specification says`);
  return parsed.data;
}
