// What this browser proves with: a passkey that lies in an authenticator, and a signing key that lies here and that not
// even this page can read. The server makes neither and never signs for anybody.

const DATABASE = "continuum-keys";
const STORE = "keys";
const ECDSA = { name: "ECDSA", namedCurve: "P-256" };

export function base64(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function base64url(bytes) {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function hex(bytes) {
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Asks an authenticator of the person's for a new passkey; the answer goes to the server as it is. */
export async function newPasskey(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({ publicKey })).toJSON();
}

/** Asks for an answer by whichever passkey the person picks. */
export async function passkeyAnswer(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}

/** An answer to exactly these 32 bytes, by a person whom their authenticator verified now. */
export function stepUp(challenge) {
  return passkeyAnswer({ challenge: base64url(challenge), userVerification: "required", timeout: 300_000 });
}

function store(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(new Error("This browser does not let the page keep a key."));
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        database.close();
        resolve(request.result);
      };
      transaction.onabort = () => reject(new Error("This browser did not keep the key."));
    };
  });
}

const nameOf = ({ tenant, id }) => `${tenant}/${id}`;

/** The signing key of this person in this browser, with its id; null when there is none yet. */
export async function signingKey(person) {
  const pair = await store("readonly", (keys) => keys.get(nameOf(person)));
  return pair === undefined ? null : describe(pair);
}

/** Makes the person's signing key. It is kept only when it is registered: see `keepKey`. */
export async function newSigningKey() {
  return describe(await crypto.subtle.generateKey(ECDSA, false, ["sign", "verify"]));
}

export async function keepKey(person, { pair }) {
  await store("readwrite", (keys) => keys.put(pair, nameOf(person)));
  // Asks that the key is not cleared away when the disk is full; a browser may say no, and then it is registered anew.
  await navigator.storage?.persist?.();
}

export async function dropKey(person) {
  await store("readwrite", (keys) => keys.delete(nameOf(person)));
}

async function describe(pair) {
  const spki = await crypto.subtle.exportKey("spki", pair.publicKey);
  const lines = base64(spki)
    .match(/.{1,64}/g)
    .join("\n");
  const digest = await sha256(spki);
  const pem = `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`;
  return { pair, pem, keyId: `sha256:${hex(digest)}`, hint: base64(digest) };
}

/** What a DSSE signature is over. */
function preAuthEncoding(payloadType, payload) {
  const encoder = new TextEncoder();
  const type = encoder.encode(payloadType);
  const head = encoder.encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

/**
 * Signs a statement by the person's key and has their passkey answer to the hash of exactly what was signed. Answers
 * the parts of a request that prove it: the nonce, a Sigstore bundle, and the passkey's answer.
 */
export async function prove(statement, key) {
  const payload = fromBase64(statement.payload);
  const signed = preAuthEncoding(statement.payloadType, payload);
  const challenge = await sha256(signed);
  if (`sha256:${hex(challenge)}` !== statement.challenge)
    throw new Error("The statement and its challenge differ: nothing was signed.");
  const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.pair.privateKey, signed);
  const bundle = {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: key.hint }, tlogEntries: [] },
    dsseEnvelope: {
      payload: statement.payload,
      payloadType: statement.payloadType,
      signatures: [{ sig: base64(derSignature(new Uint8Array(raw))) }],
    },
  };
  const due = statement.requires.mfa ? { stepUp: { kind: "passkey", response: await stepUp(challenge) } } : {};
  return { nonce: statement.nonce, bundle, ...due };
}

/** WebCrypto gives r and s beside each other; everybody else wants them as two integers in DER. */
function derSignature(raw) {
  const half = raw.length / 2;
  const [r, s] = [derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half))];
  return Uint8Array.from([0x30, r.length + s.length, ...r, ...s]);
}

function derInteger(bytes) {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const value = [...bytes.subarray(start)];
  // A first bit that is set would make it negative.
  if (value[0] & 0x80) value.unshift(0);
  return [0x02, value.length, ...value];
}
