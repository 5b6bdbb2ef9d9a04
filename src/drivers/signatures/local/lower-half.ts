import type { KeyObject } from "node:crypto";
import { assert } from "../../../core/error.ts";

/** The orders of the three curves. Source: NIST SP 800-186, 3.2.1.3 to 3.2.1.5. */
const ORDERS: ReadonlyMap<string, bigint> = new Map([
  ["prime256v1", 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
  ["secp384r1", 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n],
  [
    "secp521r1",
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  ],
]);

/**
 * Of the two spellings that every ECDSA signature has, (r, s) and (r, n - s), the one with the smaller s. Anybody can
 * turn one into the other without a key, and so make old evidence look like another, younger piece.
 * The signature is DER that was verified with the key.
 */
export function lowerHalf(signature: Uint8Array, key: KeyObject): Buffer {
  const order = ORDERS.get(key.asymmetricKeyDetails?.namedCurve ?? "");
  assert(order !== undefined, "a signature that was verified is ECDSA on a known curve");
  const { r, s } = readPair(Buffer.from(signature));
  const other = order - s;
  return writePair(r, other < s ? other : s);
}

function readPair(der: Buffer): { r: bigint; s: bigint } {
  // A sequence's length takes a second byte from 128 on.
  const start = der[1] === 0x81 ? 3 : 2;
  const first = readInteger(der, start);
  return { r: first.value, s: readInteger(der, first.end).value };
}

function readInteger(der: Buffer, at: number): { value: bigint; end: number } {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  assert(der[at] === 0x02 && length > 0 && end <= der.length, "a signature that was verified is a pair of integers");
  return { value: BigInt(`0x${der.toString("hex", at + 2, end)}`), end };
}

function writePair(r: bigint, s: bigint): Buffer {
  const body = Buffer.concat([integer(r), integer(s)]);
  const head = body.length < 128 ? [0x30, body.length] : [0x30, 0x81, body.length];
  return Buffer.concat([Buffer.from(head), body]);
}

function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  // A leading zero keeps the first bit from being read as a sign.
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
  return Buffer.concat([Buffer.from([0x02, padded.length]), padded]);
}
