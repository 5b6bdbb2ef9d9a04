import { createHash, sign } from "node:crypto";
import { canonicalJson } from "../../plan/canonical.ts";
import { BUNDLE_MEDIA_TYPE } from "../bundle.ts";
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from "../dsse.ts";
import {
  AUTHORITY_EXTENSIONS,
  AUTHORITY_NAME,
  type CertificateKey,
  certificate,
  extension,
  makeKey,
  makeSerial,
  pem,
  SIGNER_EXTENSIONS,
  subjectNames,
  toBeSigned,
} from "./certificate.ts";
import { octets, utf8 } from "./der.ts";

/**
 * A Sigstore of one process for tests: a certificate authority, a log of certificates and a transparency log, each with
 * a key of its own. What it signs verifies against its trusted root as what the public instance signs does against the
 * public one, so that attacks can be tried that no published bundle holds.
 */
export interface LocalSigstore {
  /** The trusted root, as JSON. */
  trustedRoot: string;
  signStatement(statement: object, who: Signing): string;
  signMessage(message: Uint8Array, who: Signing): string;
  /** The annotations that cosign 2 puts beside an image's payload. */
  signPayload(payload: Uint8Array, who: Signing): Record<string, string>;
}

export interface Signing {
  issuer: string;
  subject: string;
  atMs: number;
  /** More subject alternative names beside the first. */
  otherSubjects?: string[];
  curve?: "P-256" | "P-384";
  /** How long after `atMs` the log says that it saw the signature. */
  loggedAfterMs?: number;
}

interface Made {
  certificate: Buffer;
  signature: Buffer;
}

const LOG_URL = "https://log.local";
const DAY_MS = 24 * 60 * 60 * 1000;
/** As long as the public instance's certificates are good. */
const CERTIFICATE_MS = 10 * 60 * 1000;
const START_MS = Date.parse("2025-01-01T00:00:00Z");

export function localSigstore(): LocalSigstore {
  const [authority, certificateLog, log] = [makeKey(), makeKey(), makeKey()];
  const root = certificate({
    key: authority.spki,
    issuerKey: authority.privateKey,
    subject: AUTHORITY_NAME,
    fromMs: START_MS,
    toMs: START_MS + 3650 * DAY_MS,
    extensions: AUTHORITY_EXTENSIONS,
  });
  const makeSignature = (bytes: Uint8Array, who: Signing): Made => {
    const key = makeKey(who.curve);
    const signature = sign(who.curve === "P-384" ? "sha384" : "sha256", bytes, key.privateKey);
    return { certificate: leaf({ key, authority, certificateLog, who }), signature };
  };
  const bundle = (made: Made, who: Signing, content: object, body: Body): string =>
    JSON.stringify({
      mediaType: BUNDLE_MEDIA_TYPE,
      verificationMaterial: {
        certificate: { rawBytes: made.certificate.toString("base64") },
        tlogEntries: [logEntry(log, who, body)],
      },
      ...content,
    });
  return {
    trustedRoot: trustedRoot({ root, certificateLog, log }),
    signStatement(statement, who) {
      const payload = Buffer.from(canonicalJson(statement), "utf8");
      const made = makeSignature(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, payload), who);
      const signatures = [{ sig: made.signature.toString("base64") }];
      const dsseEnvelope = { payload: payload.toString("base64"), payloadType: IN_TOTO_PAYLOAD_TYPE, signatures };
      return bundle(made, who, { dsseEnvelope }, dsseBody(payload, made));
    },
    signMessage(message, who) {
      const made = makeSignature(message, who);
      const hash = who.curve === "P-384" ? "sha384" : "sha256";
      const messageDigest = {
        algorithm: hash === "sha384" ? "SHA2_384" : "SHA2_256",
        digest: createHash(hash).update(message).digest("base64"),
      };
      const messageSignature = { messageDigest, signature: made.signature.toString("base64") };
      return bundle(made, who, { messageSignature }, hashedRecord(message, made, hash));
    },
    signPayload(payload, who) {
      const made = makeSignature(payload, who);
      const entry = logEntry(log, who, hashedRecord(payload, made, "sha256"));
      return {
        "dev.cosignproject.cosign/signature": made.signature.toString("base64"),
        "dev.sigstore.cosign/certificate": pem(made.certificate),
        "dev.sigstore.cosign/chain": pem(root),
        "dev.sigstore.cosign/bundle": JSON.stringify({
          SignedEntryTimestamp: entry.inclusionPromise.signedEntryTimestamp,
          Payload: {
            body: entry.canonicalizedBody,
            integratedTime: Number(entry.integratedTime),
            logIndex: 0,
            logID: Buffer.from(entry.logId.keyId, "base64").toString("hex"),
          },
        }),
      };
    },
  };
}

function leaf(options: {
  key: CertificateKey;
  authority: CertificateKey;
  certificateLog: CertificateKey;
  who: Signing;
}): Buffer {
  const { key, authority, certificateLog, who } = options;
  const before = [
    ...SIGNER_EXTENSIONS,
    subjectNames([who.subject, ...(who.otherSubjects ?? [])]),
    extension("1.3.6.1.4.1.57264.1.8", utf8(who.issuer)),
  ];
  const common = {
    key: key.spki,
    issuerKey: authority.privateKey,
    subject: "",
    fromMs: who.atMs,
    toMs: who.atMs + CERTIFICATE_MS,
  };
  const serial = makeSerial();
  const unlogged = toBeSigned({ ...common, extensions: before, serial });
  const list = timestampList({ unlogged, issuerSpki: authority.spki, certificateLog, atMs: who.atMs });
  const logged = extension("1.3.6.1.4.1.11129.2.4.2", octets(list));
  return certificate({ ...common, extensions: [...before, logged], serial });
}

/** RFC 6962, 3.2 and 3.3: the log's promise over the certificate as it was before the promise stood in it. */
function timestampList(options: {
  unlogged: Buffer;
  issuerSpki: Buffer;
  certificateLog: CertificateKey;
  atMs: number;
}): Buffer {
  const { unlogged, issuerSpki, certificateLog, atMs } = options;
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(atMs));
  const length = Buffer.from([unlogged.length >> 16, (unlogged.length >> 8) & 0xff, unlogged.length & 0xff]);
  const preCertificate = Buffer.concat([sha256(issuerSpki), length, unlogged]);
  const signed = Buffer.concat([Buffer.from([0, 0]), time, Buffer.from([0, 1]), preCertificate, Buffer.from([0, 0])]);
  const signature = sign("sha256", signed, certificateLog.privateKey);
  const promise = Buffer.concat([
    Buffer.from([0]),
    sha256(certificateLog.spki),
    time,
    Buffer.from([0, 0, 4, 3]),
    uint16(signature.length),
    signature,
  ]);
  return Buffer.concat([uint16(promise.length + 2), uint16(promise.length), promise]);
}

interface Body {
  kind: string;
  apiVersion: "0.0.1";
  spec: object;
}

function dsseBody(payload: Buffer, { certificate: der, signature }: Made): Body {
  const verifier = Buffer.from(pem(der)).toString("base64");
  const payloadHash = { algorithm: "sha256", value: sha256(payload).toString("hex") };
  const signatures = [{ signature: signature.toString("base64"), verifier }];
  return { kind: "dsse", apiVersion: "0.0.1", spec: { payloadHash, signatures } };
}

function hashedRecord(message: Uint8Array, { certificate: der, signature }: Made, hash: "sha256" | "sha384"): Body {
  const value = createHash(hash).update(message).digest("hex");
  const publicKey = { content: Buffer.from(pem(der)).toString("base64") };
  const spec = {
    data: { hash: { algorithm: hash, value } },
    signature: { content: signature.toString("base64"), publicKey },
  };
  return { kind: "hashedrekord", apiVersion: "0.0.1", spec };
}

/** An entry in a log of one entry. */
function logEntry(log: CertificateKey, { atMs, loggedAfterMs = 0 }: Signing, content: Body) {
  const body = Buffer.from(canonicalJson(content), "utf8");
  const integratedTime = Math.floor((atMs + loggedAfterMs) / 1000);
  const logId = sha256(log.spki);
  const promised = { body: body.toString("base64"), integratedTime, logID: logId.toString("hex"), logIndex: 0 };
  const promise = sign("sha256", Buffer.from(canonicalJson(promised), "utf8"), log.privateKey);
  const rootHash = createHash("sha256")
    .update(Buffer.from([0]))
    .update(body)
    .digest("base64");
  const note = `log.local\n1\n${rootHash}\n`;
  const noteSignature = Buffer.concat([logId.subarray(0, 4), sign("sha256", Buffer.from(note), log.privateKey)]);
  return {
    logIndex: "0",
    logId: { keyId: logId.toString("base64") },
    kindVersion: { kind: content.kind, version: content.apiVersion },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: promise.toString("base64") },
    inclusionProof: {
      logIndex: "0",
      rootHash,
      treeSize: "1",
      hashes: [],
      checkpoint: { envelope: `${note}\n— log.local ${noteSignature.toString("base64")}\n` },
    },
    canonicalizedBody: body.toString("base64"),
  };
}

function trustedRoot(made: { root: Buffer; certificateLog: CertificateKey; log: CertificateKey }): string {
  const validFor = { start: new Date(START_MS).toISOString() };
  const logOf = ({ spki }: CertificateKey) => ({
    baseUrl: LOG_URL,
    hashAlgorithm: "SHA2_256",
    publicKey: { rawBytes: spki.toString("base64"), keyDetails: "PKIX_ECDSA_P256_SHA_256", validFor },
    logId: { keyId: sha256(spki).toString("base64") },
  });
  return JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [logOf(made.log)],
    certificateAuthorities: [
      {
        subject: { organization: "", commonName: AUTHORITY_NAME },
        uri: "https://authority.local",
        certChain: { certificates: [{ rawBytes: made.root.toString("base64") }] },
        validFor,
      },
    ],
    ctlogs: [logOf(made.certificateLog)],
    timestampAuthorities: [],
  });
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
