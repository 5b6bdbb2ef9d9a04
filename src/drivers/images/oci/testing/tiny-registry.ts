import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { ImageSignature } from "../../images.ts";

export interface TinyRegistryOptions {
  /** Whether it lists referrers (OCI 1.1), as newer registries do; else they stand under a tag. */
  referrers?: boolean;
  tls?: { key: string; cert: string };
  /** Looks at a request before the registry does; true when it has answered. */
  before?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface TinyRegistry {
  /** `127.0.0.1:PORT` */
  name: string;
  /** Every request, `GET /v2/...`, in order, with what it said of who asks. */
  asked: { line: string; authorization: string | undefined }[];
  blobs: Map<string, Buffer>;
  /** By digest or tag. */
  manifests: Map<string, { body: Buffer; type: string }>;
  referrers: Map<string, object[]>;
  /** Puts an image there, signed so; answers its name. */
  publish(signatures: readonly ImageSignature[]): string;
  close(): Promise<void>;
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const EMPTY = { mediaType: "application/vnd.oci.empty.v1+json", size: 2, digest: digestOf(Buffer.from("{}")) };

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A registry in this process that answers what a reader asks: manifests, blobs and referrers of one repository. */
export async function startTinyRegistry(options: TinyRegistryOptions = {}): Promise<TinyRegistry> {
  const asked: TinyRegistry["asked"] = [];
  const blobs: TinyRegistry["blobs"] = new Map();
  const manifests: TinyRegistry["manifests"] = new Map();
  const referrers: TinyRegistry["referrers"] = new Map();
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    asked.push({ line: `${request.method} ${request.url}`, authorization: request.headers.authorization });
    if (options.before?.(request, response) === true) return;
    const url = new URL(request.url ?? "", "http://registry");
    const [, kind = "", name = ""] =
      /^\/v2\/team\/churn\/(manifests|blobs|referrers)\/([^/]+)$/.exec(url.pathname) ?? [];
    const found =
      kind === "manifests"
        ? manifests.get(name)
        : kind === "blobs"
          ? { body: blobs.get(name), type: "application/octet-stream" }
          : options.referrers === true && kind === "referrers"
            ? { body: indexOf(referrers.get(name) ?? []), type: INDEX }
            : undefined;
    if (found?.body === undefined) response.writeHead(404).end("404 page not found");
    else response.writeHead(200, { "content-type": found.type }).end(found.body);
  };
  const server = options.tls === undefined ? createServer(answer) : createTlsServer(options.tls, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  const blob = (bytes: Uint8Array) => {
    const digest = digestOf(bytes);
    blobs.set(digest, Buffer.from(bytes));
    return { size: bytes.length, digest };
  };
  const manifest = (value: object, tag?: string) => {
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: EMPTY, ...value }));
    const digest = digestOf(body);
    for (const place of [digest, ...(tag === undefined ? [] : [tag])]) manifests.set(place, { body, type: MANIFEST });
    return { mediaType: MANIFEST, size: body.length, digest };
  };
  const publish: TinyRegistry["publish"] = (signatures) => {
    const image = manifest({ layers: [{ mediaType: "application/octet-stream", ...blob(Buffer.from("layer")) }] });
    const tag = image.digest.replace(":", "-");
    const simple = signatures.filter((each) => each.form === "simple-signing");
    if (simple.length > 0) manifest({ layers: simple.map((each) => simpleLayer(each, blob)) }, `${tag}.sig`);
    const bundles = signatures.filter((each) => each.form === "bundle");
    const refer = bundles.map(({ bundle }) => ({
      ...manifest({ artifactType: BUNDLE, subject: image, layers: [{ mediaType: BUNDLE, ...blob(bundle) }] }),
      artifactType: BUNDLE,
    }));
    referrers.set(image.digest, refer);
    if (refer.length > 0 && options.referrers !== true) manifests.set(tag, { body: indexOf(refer), type: INDEX });
    return `${name}/team/churn@${image.digest}`;
  };
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { name, asked, blobs, manifests, referrers, publish, close };
}

export function indexOf(descriptors: readonly object[]): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: descriptors }));
}

function simpleLayer(
  signature: Extract<ImageSignature, { form: "simple-signing" }>,
  blob: (bytes: Uint8Array) => object,
): object {
  const { payload, certificate, chain, rekorBundle } = signature;
  const annotations = {
    "dev.cosignproject.cosign/signature": signature.signature,
    ...(certificate === undefined ? {} : { "dev.sigstore.cosign/certificate": certificate }),
    ...(chain === undefined ? {} : { "dev.sigstore.cosign/chain": chain }),
    ...(rekorBundle === undefined ? {} : { "dev.sigstore.cosign/bundle": rekorBundle }),
  };
  return { mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", ...blob(payload), annotations };
}
