import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import {
  bits,
  type Der,
  generalizedTime,
  integer,
  objectId,
  octets,
  sequence,
  set,
  TRUE,
  tagged,
  utf8,
} from "./der.ts";

/** Certificates (RFC 5280) for tests, with whatever extensions a test wants. */

/** The common name of an authority that is not named otherwise. */
export const AUTHORITY_NAME = "Local authority";

export interface CertificateKey {
  privateKey: KeyObject;
  spki: Buffer;
}

export interface CertificateParts {
  /** The holder's public key, SPKI in DER. */
  key: Buffer;
  issuerKey: KeyObject;
  /** The issuer's common name; `AUTHORITY_NAME` where it is left out. */
  issuer?: string;
  /** The holder's common name; empty for a holder without one. */
  subject: string;
  fromMs: number;
  toMs: number;
  extensions: Der[];
  serial?: Buffer;
}

const ECDSA_SHA256 = sequence(objectId("1.2.840.10045.4.3.2"));

export function toBeSigned({
  key,
  issuer = AUTHORITY_NAME,
  subject,
  fromMs,
  toMs,
  extensions,
  serial,
}: CertificateParts): Der {
  return sequence(
    tagged(0, integer(2), { isConstructed: true }),
    integer(serial ?? makeSerial()),
    ECDSA_SHA256,
    commonName(issuer),
    sequence(generalizedTime(fromMs), generalizedTime(toMs)),
    subject === "" ? sequence() : commonName(subject),
    key,
    tagged(3, sequence(...extensions), { isConstructed: true }),
  );
}

export function certificate(parts: CertificateParts): Buffer {
  const body = toBeSigned(parts);
  return sequence(body, ECDSA_SHA256, bits(sign("sha256", body, parts.issuerKey)));
}

function commonName(name: string): Der {
  return sequence(set(sequence(objectId("2.5.4.3"), utf8(name))));
}

export function extension(id: string, value: Der, isCritical = false): Der {
  return sequence(objectId(id), ...(isCritical ? [TRUE] : []), octets(value));
}

/** The extensions of an authority: it may issue certificates. */
export const AUTHORITY_EXTENSIONS: Der[] = [
  extension("2.5.29.19", sequence(TRUE), true),
  extension("2.5.29.15", bits(Buffer.from([0x06]), 1), true),
];
/** The extensions of one who signs, without a name. */
export const SIGNER_EXTENSIONS: Der[] = [
  extension("2.5.29.15", bits(Buffer.from([0x80]), 7), true),
  extension("2.5.29.37", sequence(objectId("1.3.6.1.5.5.7.3.3"))),
];

/** The names that a certificate is about: URIs, and e-mail addresses for what has no `://`. */
export function subjectNames(names: readonly string[]): Der {
  const tags = names.map((name) =>
    tagged(name.includes("://") ? 6 : 1, Buffer.from(name, "ascii"), { isConstructed: false }),
  );
  return extension("2.5.29.17", sequence(...tags), true);
}

export function makeKey(namedCurve = "P-256"): CertificateKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  return { privateKey, spki: publicKey.export({ type: "spki", format: "der" }) };
}

/** DER writes an integer without leading zeros: one by chance in 500 certificates would make it unreadable. */
export function makeSerial(): Buffer {
  return Buffer.concat([Buffer.from([0x40]), randomBytes(8)]);
}

export function pem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`;
}
