/** The order of P-256 (NIST SP 800-186, 3.2.1.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same bundle with the other spelling (r, n - s) of its signature: just as valid, and made without a key. */
export function malleated(bundle: Record<string, unknown>): Record<string, unknown> {
  const copy = structuredClone(bundle) as { dsseEnvelope: { signatures: { sig: string }[] } };
  const [signature] = copy.dsseEnvelope.signatures;
  if (signature === undefined) throw new Error("the bundle has a signature");
  const der = Buffer.from(signature.sig, "base64");
  const rEnd = 4 + (der[3] ?? 0);
  const s = BigInt(`0x${der.toString("hex", rEnd + 2)}`);
  const hex = (ORDER - s).toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
  const body = Buffer.concat([der.subarray(2, rEnd), Buffer.from([2, padded.length]), padded]);
  signature.sig = Buffer.concat([Buffer.from([0x30, body.length]), body]).toString("base64");
  return copy;
}
