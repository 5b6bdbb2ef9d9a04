import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { TEST_CERTIFICATE, TEST_KEY } from "../../notifications/webhook/testing/receiver.ts";
import { imagesConformance } from "../images.conformance.ts";
import type { ImageSignature } from "../images.ts";
import { type OciImagesOptions, ociImages } from "./oci-images.ts";
import {
  digestOf,
  indexOf,
  startTinyRegistry,
  type TinyRegistry,
  type TinyRegistryOptions,
} from "./testing/tiny-registry.ts";

const SIMPLE: ImageSignature = { form: "simple-signing", payload: Buffer.from("{}"), signature: "MEQ=" };
const BUNDLE: ImageSignature = { form: "bundle", bundle: Buffer.from("{}") };
const NONE: ReadonlySet<string> = new Set();

const open: TinyRegistry[] = [];
afterEach(async () => {
  for (const registry of open.splice(0)) await registry.close();
});

async function registry(options: TinyRegistryOptions = {}): Promise<TinyRegistry> {
  const started = await startTinyRegistry(options);
  open.push(started);
  return started;
}

/** The operator lets the program speak to these, inside the network and without TLS. */
function reader(names: readonly string[], options: Partial<OciImagesOptions> = {}) {
  const rules = { registries: NONE, internalRegistries: new Set(names), plainHttpRegistries: new Set(names) };
  return ociImages({ rules, ...options });
}

for (const referrers of [true, false])
  imagesConformance(`registry ${referrers ? "with a list of referrers" : "with referrers under a tag"}`, async () => {
    const tiny = await startTinyRegistry({ referrers });
    return { images: reader([tiny.name]), publish: async (given) => tiny.publish(given), close: tiny.close };
  });

describe("where the program connects", () => {
  const at = (name: string) => `${name}/team/churn@${digestOf(Buffer.from("x"))}`;
  const allowing = (name: string, resolve: OciImagesOptions["resolve"]) =>
    ociImages({
      rules: { registries: new Set([name]), internalRegistries: NONE, plainHttpRegistries: NONE },
      ...(resolve === undefined ? {} : { resolve }),
    });

  test("is nowhere, as long as the operator names no registry", async () => {
    const tiny = await registry();
    await expect(reader([]).read(tiny.publish([]))).rejects.toMatchObject({
      code: "registry-not-allowed",
      message: expect.stringContaining("images.registries"),
      retryable: false,
    });
    expect(tiny.asked).toEqual([]);
  });

  test.each([
    "127.0.0.1",
    "2130706433:443",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "10.0.0.1",
    "localhost",
    "0x7f.1",
  ])("is not %s, which is inside, even where it is on the list of public ones", async (name) => {
    await expect(allowing(name, undefined).read(at(name))).rejects.toMatchObject({ code: "registry-not-allowed" });
  });

  test("is not a public name with one address inside", async () => {
    const addresses = ["93.184.215.14", "127.0.0.1"].map((address) => ({ address, family: 4 }));
    const images = allowing("ghcr.io", async () => addresses);
    await expect(images.read(at("ghcr.io"))).rejects.toMatchObject({ code: "registry-not-allowed" });
  });

  test("is never without TLS, unless the operator says so of that registry", async () => {
    const tiny = await registry();
    const rules = { registries: NONE, internalRegistries: new Set([tiny.name]), plainHttpRegistries: NONE };
    await expect(ociImages({ rules }).read(tiny.publish([]))).rejects.toMatchObject({
      code: "registry-unreachable",
      message: expect.stringContaining("certificate"),
    });
    expect(tiny.asked).toEqual([]);
  });

  test("is a server with a certificate of an authority that is trusted", async () => {
    const tiny = await registry({ tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
    const name = tiny.name.replace("127.0.0.1", "hooks.test");
    const reference = tiny.publish([SIMPLE]).replace(tiny.name, name);
    const rules = { registries: NONE, internalRegistries: new Set([name]), plainHttpRegistries: NONE };
    const resolve = async () => [{ address: "127.0.0.1", family: 4 }];
    const trusted = ociImages({ rules, resolve, authorities: [TEST_CERTIFICATE] });
    expect((await trusted.read(reference)).signatures).toHaveLength(1);
    await expect(ociImages({ rules, resolve }).read(reference)).rejects.toMatchObject({ code: "registry-unreachable" });
  });

  test("is not waited for without an end", async () => {
    const silent = await registry({ before: () => true });
    await expect(reader([silent.name], { timeoutMs: 100 }).read(silent.publish([]))).rejects.toMatchObject({
      code: "registry-unreachable",
      retryable: true,
    });
    const images = reader(["slow.example:1"], { timeoutMs: 50, resolve: () => new Promise(() => {}) });
    await expect(images.read(at("slow.example:1"))).rejects.toMatchObject({ code: "registry-unreachable" });
  });
});

describe("a redirect", () => {
  const blobsTo = (place: () => string) => (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.includes("/blobs/")) return false;
    response.writeHead(307, { location: `${place()}${request.url}` }).end();
    return true;
  };

  test("is followed to a place that the operator allows, without the credentials", async () => {
    const storage = await registry();
    const tiny = await registry({
      before: (request, response) =>
        requireBasic(request, response) || blobsTo(() => `http://${storage.name}`)(request, response),
    });
    const reference = tiny.publish([SIMPLE]);
    for (const [digest, blob] of tiny.blobs) storage.blobs.set(digest, blob);
    const images = reader([tiny.name, storage.name], { credentials: dockerLogin(tiny.name) });
    expect((await images.read(reference)).signatures).toHaveLength(1);
    expect(storage.asked.length).toBeGreaterThan(0);
    expect(storage.asked.map(({ authorization }) => authorization)).toEqual(storage.asked.map(() => undefined));
  });

  test("to a place inside, without TLS, or on a port of its own choice is not followed", async () => {
    const inside = await registry();
    for (const place of [`http://${inside.name}`, `https://${inside.name}`, "https://169.254.169.254", "file:///etc"]) {
      const tiny = await registry({ before: blobsTo(() => place) });
      await expect(reader([tiny.name]).read(tiny.publish([SIMPLE])), place).rejects.toMatchObject({
        code: "registry-not-allowed",
      });
    }
    expect(inside.asked).toEqual([]);
  });

  test("in a circle ends", async () => {
    const tiny = await registry({ before: blobsTo(() => "") });
    await expect(reader([tiny.name]).read(tiny.publish([SIMPLE]))).rejects.toMatchObject({
      code: "registry-malformed",
    });
    expect(tiny.asked.length).toBeLessThan(10);
  });

  test("whose end asks for credentials is told none", async () => {
    const greedy = await registry({ before: requireBasic });
    const tiny = await registry({ before: blobsTo(() => `http://${greedy.name}`) });
    const credentials = dockerLogin(tiny.name);
    await expect(reader([tiny.name, greedy.name], { credentials }).read(tiny.publish([SIMPLE]))).rejects.toMatchObject({
      code: "registry-refused",
    });
    expect(greedy.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
  });
});

describe("a registry that wants to know who asks", () => {
  test("is told the user and the password, once it asks", async () => {
    const tiny = await registry({ before: requireBasic });
    const images = reader([tiny.name], { credentials: dockerLogin(tiny.name) });
    expect((await images.read(tiny.publish([SIMPLE, BUNDLE]))).signatures).toHaveLength(2);
    expect(tiny.asked[0]?.authorization).toBeUndefined();
  });

  test("refuses the wrong ones and none at all, and the error holds neither", async () => {
    const tiny = await registry({ before: requireBasic });
    const reference = tiny.publish([]);
    for (const images of [reader([tiny.name]), reader([tiny.name], { credentials: dockerLogin(tiny.name, "hunter2") })])
      await expect(images.read(reference)).rejects.toMatchObject({
        code: "registry-refused",
        message: expect.not.stringContaining("hunter2"),
      });
  });

  test("gets the token that its token server gives for reading this repository", async () => {
    const gate = await tokenRegistry();
    const images = reader([gate.registry.name, gate.tokens.name], { credentials: dockerLogin(gate.registry.name) });
    expect((await images.read(gate.registry.publish([SIMPLE, BUNDLE]))).signatures).toHaveLength(2);
    expect(gate.tokens.asked).toEqual([
      {
        line: "GET /token?service=the+registry&scope=repository%3Ateam%2Fchurn%3Apull",
        authorization: `Basic ${Buffer.from("ada:secret").toString("base64")}`,
      },
    ]);
  });

  test("may give a token to nobody in particular", async () => {
    const gate = await tokenRegistry();
    const images = reader([gate.registry.name, gate.tokens.name]);
    expect((await images.read(gate.registry.publish([SIMPLE]))).signatures).toHaveLength(1);
    expect(gate.tokens.asked[0]?.authorization).toBeUndefined();
  });

  test("cannot send the password inside, nor anywhere without TLS", async () => {
    const gate = await tokenRegistry();
    const images = reader([gate.registry.name], { credentials: dockerLogin(gate.registry.name) });
    await expect(images.read(gate.registry.publish([]))).rejects.toMatchObject({ code: "registry-not-allowed" });
    expect(gate.tokens.asked).toEqual([]);
  });

  test("has to give a token that is one", async () => {
    for (const body of ["", "null", "{}", '{"token":5}', '{"token":"a\\r\\nb"}', `{"token":"${"x".repeat(70_000)}"}`]) {
      const gate = await tokenRegistry(body);
      const images = reader([gate.registry.name, gate.tokens.name]);
      await expect(images.read(gate.registry.publish([])), body.slice(0, 20)).rejects.toMatchObject({
        code: expect.stringMatching(/^registry-(malformed|too-large)$/),
      });
    }
  });

  test.each([
    ["no JSON", "x"],
    ["no list", '{"auths":5}'],
    ["a helper's entry", '{"auths":{"REGISTRY":{}},"credsStore":"desktop"}'],
    ["an identity token", '{"auths":{"REGISTRY":{"auth":"YTpi","identitytoken":"x"}}}'],
    ["no pair", '{"auths":{"REGISTRY":{"auth":"YWI="}}}'],
  ])("is not asked as nobody when the credentials are %s", async (_what, file) => {
    const tiny = await registry({ before: requireBasic });
    const credentials = async () => Buffer.from(file.replace("REGISTRY", tiny.name));
    await expect(reader([tiny.name], { credentials }).read(tiny.publish([]))).rejects.toMatchObject({
      code: "registry-refused",
      message: expect.stringContaining("credentials"),
    });
  });
});

describe("an answer", () => {
  test("with other bytes than the digest says is not believed", async () => {
    for (const kind of ["manifests", "blobs"] as const) {
      const tiny = await registry();
      const reference = tiny.publish([SIMPLE]);
      for (const [name, entry] of tiny.manifests)
        if (kind === "manifests")
          tiny.manifests.set(name, { ...entry, body: Buffer.concat([entry.body, Buffer.from(" ")]) });
      for (const name of tiny.blobs.keys()) if (kind === "blobs") tiny.blobs.set(name, Buffer.from("[]"));
      await expect(reader([tiny.name]).read(reference), kind).rejects.toMatchObject({ code: "registry-malformed" });
    }
  });

  test.each([
    ["text", "hello"],
    ["a number", "5"],
    ["no list", "{}"],
    ["a list of strangers", '{"manifests":[{"digest":"sha256:../../x","mediaType":"x","size":1}]}'],
    ["bytes that are no text", "\u00ff"],
  ])("that is %s where a list of referrers belongs is an error and not an unsigned image", async (_what, text) => {
    const tiny = await registry();
    const reference = tiny.publish([BUNDLE]);
    const tag = reference.slice(reference.indexOf("@") + 1).replace(":", "-");
    tiny.manifests.set(tag, { body: Buffer.from(text, "latin1"), type: "application/json" });
    await expect(reader([tiny.name]).read(reference)).rejects.toMatchObject({ code: "registry-malformed" });
  });

  test("without an end is cut off", async () => {
    const endless = (request: IncomingMessage, response: ServerResponse) => {
      if (!request.url?.includes("/blobs/")) return false;
      response.writeHead(200);
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on("drain", write);
      write();
      return true;
    };
    const tiny = await registry({ before: endless });
    await expect(reader([tiny.name]).read(tiny.publish([SIMPLE]))).rejects.toMatchObject({
      code: "registry-too-large",
    });
  });

  test("with a flood of signatures is refused rather than read in part", async () => {
    for (const [signature, kind] of [
      [SIMPLE, "older"],
      [BUNDLE, "newer"],
    ] as const) {
      const tiny = await registry();
      const flood = tiny.publish(Array.from({ length: 65 }, () => signature));
      await expect(reader([tiny.name]).read(flood), kind).rejects.toMatchObject({ code: "registry-too-large" });
    }
  });

  test.each([500, 429, 302])("with status %i for the list of referrers is an error", async (status) => {
    const tiny = await registry({
      before: (request, response) => {
        if (!request.url?.includes("/referrers/")) return false;
        response.writeHead(status).end();
        return true;
      },
    });
    await expect(reader([tiny.name]).read(tiny.publish([BUNDLE]))).rejects.toMatchObject({
      code: status === 302 ? "registry-malformed" : "registry-unreachable",
      retryable: status !== 302,
    });
  });

  test("in several pages is read to the end, from the registry itself", async () => {
    const stranger = await registry();
    const tiny = await registry({
      referrers: true,
      before: (request, response) => {
        const url = new URL(request.url ?? "", "http://x");
        if (!url.pathname.includes("/referrers/")) return false;
        const all = tiny.referrers.get(url.pathname.split("/").at(-1) ?? "") ?? [];
        const page = Number(url.searchParams.get("page") ?? "0");
        const link = `<http://${stranger.name}/v2/other/referrers/x?page=${page + 1}>; rel="next"`;
        response.writeHead(200, page + 1 < all.length ? { link } : {}).end(indexOf(all.slice(page, page + 1)));
        return true;
      },
    });
    const bundles: ImageSignature[] = ["1", "2", "3"].map((text) => ({ form: "bundle", bundle: Buffer.from(text) }));
    expect((await reader([tiny.name]).read(tiny.publish(bundles))).signatures).toHaveLength(3);
    expect(stranger.asked).toEqual([]);
  });

  test("that lists attestations of other kinds leaves them out", async () => {
    const tiny = await registry({ referrers: true });
    const reference = tiny.publish([BUNDLE]);
    const digest = reference.slice(reference.indexOf("@") + 1);
    const [signature = {}] = tiny.referrers.get(digest) ?? [];
    const annotations = { "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1" };
    tiny.referrers.set(digest, [
      { ...signature, annotations },
      { ...signature, artifactType: "application/spdx+json" },
    ]);
    expect((await reader([tiny.name]).read(reference)).signatures).toEqual([]);
  });
});

function dockerLogin(name: string, password = "secret"): () => Promise<Uint8Array> {
  const auth = Buffer.from(`ada:${password}`).toString("base64");
  return async () => Buffer.from(JSON.stringify({ auths: { [name]: { auth } } }));
}

function requireBasic(request: IncomingMessage, response: ServerResponse): boolean {
  const good = `Basic ${Buffer.from("ada:secret").toString("base64")}`;
  if (request.headers.authorization === good) return false;
  response.writeHead(401, { "www-authenticate": 'Basic realm="registry"' }).end();
  return true;
}

/** A registry that wants a token, and the server that gives it. */
async function tokenRegistry(body = '{"token":"a.b-c"}'): Promise<{ registry: TinyRegistry; tokens: TinyRegistry }> {
  const tokens = await registry({
    before: (_request, response) => {
      response.writeHead(200).end(body);
      return true;
    },
  });
  const guarded = await registry({
    before: (request, response) => {
      if (request.headers.authorization === "Bearer a.b-c") return false;
      const challenge = `Bearer realm="http://${tokens.name}/token",service="the registry",scope="repository:all:push"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return true;
    },
  });
  return { registry: guarded, tokens };
}
