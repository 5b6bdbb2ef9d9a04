import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { PasskeyAnswer, PasskeyRegistration } from "../../contract/people-operations.ts";

/** What a browser and its authenticator do together, so that each part of it can be done wrongly. */
export interface Ceremony {
  /** base64url, as the server gave it. */
  challenge: string;
  origin?: string;
  rpId?: string;
  type?: string;
  userVerified?: boolean;
  crossOrigin?: boolean;
}

/** One credential of an authenticator that lives in this process: ES256, no attestation. */
export class SoftwareAuthenticator {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly credentialId = randomBytes(16).toString("base64url");
  readonly #origin: string;
  userHandle: string | undefined;
  counter = 0;

  constructor(origin: string) {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#privateKey = pair.privateKey;
    this.#publicKey = pair.publicKey;
    this.#origin = origin;
  }

  register(ceremony: Ceremony, userHandle: string): PasskeyRegistration {
    this.userHandle = userHandle;
    const clientDataJSON = this.#clientData({ type: "webauthn.create", ...ceremony });
    const id = Buffer.from(this.credentialId, "base64url");
    const length = Buffer.alloc(2);
    length.writeUInt16BE(id.length);
    const attested = Buffer.concat([Buffer.alloc(16), length, id, this.#cosePublicKey()]);
    const authData = Buffer.concat([this.#authenticatorData(ceremony, 0x40), attested]);
    const attestation = cborMap([
      [cborText("fmt"), cborText("none")],
      [cborText("attStmt"), cborMap([])],
      [cborText("authData"), cborBytes(authData)],
    ]);
    const attestationObject = attestation.toString("base64url");
    return {
      ...{ id: this.credentialId, rawId: this.credentialId, type: "public-key", clientExtensionResults: {} },
      response: { clientDataJSON: clientDataJSON.toString("base64url"), attestationObject, transports: ["internal"] },
    };
  }

  answer(ceremony: Ceremony): PasskeyAnswer {
    this.counter += 1;
    const clientDataJSON = this.#clientData({ type: "webauthn.get", ...ceremony });
    const authenticatorData = this.#authenticatorData(ceremony, 0);
    const signed = Buffer.concat([authenticatorData, createHash("sha256").update(clientDataJSON).digest()]);
    return {
      ...{ id: this.credentialId, rawId: this.credentialId, type: "public-key", clientExtensionResults: {} },
      response: {
        clientDataJSON: clientDataJSON.toString("base64url"),
        authenticatorData: authenticatorData.toString("base64url"),
        signature: sign("sha256", signed, this.#privateKey).toString("base64url"),
        ...(this.userHandle === undefined ? {} : { userHandle: this.userHandle }),
      },
    };
  }

  #clientData({ type, challenge, origin, crossOrigin }: Ceremony): Buffer {
    const framed = crossOrigin === undefined ? {} : { crossOrigin };
    return Buffer.from(JSON.stringify({ type, challenge, origin: origin ?? this.#origin, ...framed }));
  }

  /** Present always (0x01), verified unless told otherwise (0x04), and whatever else the ceremony adds. */
  #authenticatorData({ rpId, userVerified }: Ceremony, flags: number): Buffer {
    const party = createHash("sha256")
      .update(rpId ?? new URL(this.#origin).hostname)
      .digest();
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.counter);
    return Buffer.concat([party, Buffer.from([0x01 | (userVerified === false ? 0 : 0x04) | flags]), counter]);
  }

  #cosePublicKey(): Buffer {
    const { x = "", y = "" } = this.#publicKey.export({ format: "jwk" });
    const point = (text: string) => cborBytes(Buffer.from(text, "base64url"));
    return cborMap([
      [cborInteger(1), cborInteger(2)],
      [cborInteger(3), cborInteger(-7)],
      [cborInteger(-1), cborInteger(1)],
      [cborInteger(-2), point(x)],
      [cborInteger(-3), point(y)],
    ]);
  }
}

/** RFC 8949: the kind in the upper three bits, the size in the lower five or in the bytes that follow. */
function cborHead(kind: number, size: number): Buffer {
  const upper = kind << 5;
  if (size < 24) return Buffer.from([upper | size]);
  return size < 256 ? Buffer.from([upper | 24, size]) : Buffer.from([upper | 25, size >> 8, size & 0xff]);
}

function cborInteger(value: number): Buffer {
  return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
}

function cborBytes(bytes: Uint8Array): Buffer {
  return Buffer.concat([cborHead(2, bytes.length), bytes]);
}

function cborText(text: string): Buffer {
  return Buffer.concat([cborHead(3, text.length), Buffer.from(text)]);
}

function cborMap(pairs: [Buffer, Buffer][]): Buffer {
  return Buffer.concat([cborHead(5, pairs.length), ...pairs.flat()]);
}
