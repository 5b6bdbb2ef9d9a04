import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { openCheckpoint } from "../../../../core/audit/checkpoint.ts";
import { verifyConsistency } from "../../../../core/audit/merkle-proof.ts";
import { signatureLine } from "../../../../core/audit/signed-note.ts";
import { type VerifierKey, verifierKey } from "../../../../core/audit/verifier-key.ts";

/** A witness as C2SP's tlog-witness describes it, with both kinds of cosignature, written from the specification. */
export interface TinyWitness {
  url: string;
  keys: VerifierKey[];
  /** The newest checkpoint that it signed, by origin. */
  seen: Map<string, { size: number; rootHash: string }>;
  /** Requests so far, by the status that each was answered with. */
  answered: number[];
  close(): Promise<void>;
}

export async function tinyWitness(
  logKeys: (origin: string) => readonly VerifierKey[],
  { nowSeconds = () => 1_790_000_000 } = {},
): Promise<TinyWitness> {
  const name = "witness.example/w1";
  const ed25519 = generateKeyPairSync("ed25519");
  const mldsa = generateKeyPairSync("ml-dsa-44");
  const spki = (key: KeyObject) => key.export({ format: "der", type: "spki" });
  const keys = [
    verifierKey(name, "ed25519-cosignature", spki(ed25519.publicKey)),
    verifierKey(name, "ml-dsa-44-cosignature", spki(mldsa.publicKey)),
  ];
  const seen: TinyWitness["seen"] = new Map();
  const answered: number[] = [];

  function judge(body: string): { status: number; text: string } {
    const head = body.slice(0, body.indexOf("\n\n"));
    const note = body.slice(head.length + 2);
    const [first = "", ...proofLines] = head.split("\n");
    const old = Number(/^old (\d+)$/.exec(first)?.[1]);
    const origin = note.slice(0, note.indexOf("\n"));
    const trusted = logKeys(origin);
    if (trusted.length === 0) return { status: 404, text: "" };
    const opened = openCheckpoint(Buffer.from(note), trusted);
    if (!opened.ok) return { status: 403, text: "" };
    const { checkpoint } = opened.value;
    const known = seen.get(origin) ?? { size: 0, rootHash: "" };
    if (!Number.isSafeInteger(old) || old > checkpoint.size) return { status: 400, text: "" };
    if (old !== known.size) return { status: 409, text: `${known.size}\n` };
    const proof = proofLines.map((line) => Buffer.from(line, "base64"));
    const later = { size: checkpoint.size, rootHash: Buffer.from(checkpoint.rootHash, "hex") };
    const earlier = { size: known.size, rootHash: Buffer.from(known.rootHash, "hex") };
    const holds = old === 0 ? proof.length === 0 : verifyConsistency({ earlier, later, proof });
    if (!holds) return { status: 422, text: "" };
    seen.set(origin, { size: checkpoint.size, rootHash: checkpoint.rootHash });
    return { status: 200, text: cosign(opened.value.note.text, checkpoint) };
  }

  function cosign(text: string, checkpoint: { origin: string; size: number; rootHash: string }): string {
    const seconds = nowSeconds();
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(BigInt(seconds));
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(checkpoint.size));
    const classic = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), ed25519.privateKey);
    const message = Buffer.concat([
      ...[Buffer.from("subtree/v1\n\0"), Buffer.of(name.length), Buffer.from(name), time],
      ...[Buffer.of(checkpoint.origin.length), Buffer.from(checkpoint.origin), Buffer.alloc(8), size],
      Buffer.from(checkpoint.rootHash, "hex"),
    ]);
    const signatures = [classic, sign(null, message, mldsa.privateKey)];
    return keys
      .map(({ keyId }, at) =>
        signatureLine({ name, keyId, signature: Buffer.concat([time, signatures[at] ?? Buffer.alloc(0)]) }),
      )
      .join("");
  }

  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { status, text } = judge(Buffer.concat(parts).toString("utf8"));
    answered.push(status);
    response.writeHead(status, { "content-type": status === 409 ? "text/x.tlog.size" : "text/plain" }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: `http://127.0.0.1:${port}/`, keys, seen, answered },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
