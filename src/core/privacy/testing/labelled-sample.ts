import { createHash } from "node:crypto";
import { passesCpf, passesDni, passesIban, passesLuhn, passesNir, passesSteuerId } from "../check-digits.ts";

/** A text with something in it that must not be there afterwards. */
export interface Positive {
  kind: string;
  text: string;
  /** What has to be gone. */
  planted: string;
}

/** Numbers below 1 from a seed (mulberry32), so that a sample is the same on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T => {
  const found = list[Math.floor(random() * list.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
};
const digits = (random: Random, count: number) =>
  Array.from({ length: count }, () => Math.floor(random() * 10)).join("");
const from = (random: Random, alphabet: string, count: number) =>
  Array.from({ length: count }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEX = "0123456789abcdef";
const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** As people write groups, and as machines do. */
function grouped(random: Random, text: string, sizes: readonly number[]): string {
  const gap = pick(random, ["", " ", "-"]);
  const groups: string[] = [];
  let rest = text;
  for (const size of sizes) {
    groups.push(rest.slice(0, size));
    rest = rest.slice(size);
  }
  return [...groups, rest].filter((group) => group !== "").join(gap);
}

/** Tries until a check digit fits, which keeps the sample independent of how the scrubber goes about it. */
function until(make: () => string, passes: (made: string) => boolean): string {
  for (;;) {
    const made = make();
    if (passes(made)) return made;
  }
}

const KINDS: Readonly<Record<string, (random: Random) => string>> = {
  email: (random) => {
    const first = pick(random, ["ada", "grace.hopper", "j.müller", "o'brien", "li_wei", "anna-lena", "x", "TEST.User"]);
    const tag = pick(random, ["", "+ml", "+2026", digits(random, 2)]);
    const host = pick(random, [
      "example.com",
      "mail.example.co.uk",
      "firma-gmbh.de",
      "uni.edu",
      "bücher.example",
      "163.com",
    ]);
    const sign = random() < 0.1 ? "%40" : "@";
    return `${first}${tag}${sign}${host}`;
  },
  phone: (random) =>
    pick(random, [
      () => `+49 ${pick(random, ["30", "171", "89"])} ${digits(random, 7)}`,
      () => `+1 (${pick(random, ["212", "415"])}) 555-${digits(random, 4)}`,
      () => `+33 6 ${digits(random, 2)} ${digits(random, 2)} ${digits(random, 2)} ${digits(random, 2)}`,
      () => `+44${7}${digits(random, 9)}`,
      () => `0049 170 ${digits(random, 7)}`,
      () => `(415) 555-${digits(random, 4)}`,
      () => `212-555-${digits(random, 4)}`,
      () => `06 ${digits(random, 2)} ${digits(random, 2)} ${digits(random, 2)} ${digits(random, 2)}`,
      () => `030 ${digits(random, 7)}`,
      () => `0171/${digits(random, 7)}`,
      () => `020 7946 ${digits(random, 4)}`,
      () => `phone: ${digits(random, 10)}`,
      () => `+55 11 9${digits(random, 4)}-${digits(random, 4)}`,
      // Nothing tells this one from any other number.
      () => `0171${digits(random, 7)}`,
    ])(),
  card: (random) => {
    const prefix = pick(random, ["4", "51", "55", "2223", "34", "37", "6011", "65", "3530", "36", "62"]);
    const length = /^3[47]/.test(prefix) ? 15 : prefix === "36" ? 14 : 16;
    const number = until(() => prefix + digits(random, length - prefix.length), passesLuhn);
    return grouped(random, number, length === 16 ? [4, 4, 4, 4] : [4, 6]);
  },
  iban: (random) => {
    const [country, form] = pick(random, [
      ["DE", "18"],
      ["FR", "23"],
      ["GB", "18"],
      ["NL", "14"],
      ["ES", "20"],
      ["CH", "17"],
      ["AT", "16"],
      ["PL", "24"],
    ] as const);
    const rest = Number(form);
    const bank = country === "GB" || country === "NL" ? from(random, UPPER, 4) : "";
    const body = bank + digits(random, rest - bank.length);
    const iban = until(() => country + digits(random, 2) + body, passesIban);
    const groups = random() < 0.5 ? [] : [4, 4, 4, 4, 4, 4, 4];
    return groups.length === 0 ? iban : grouped(random, iban, groups);
  },
  ip: (random) =>
    pick(random, [
      () => [pick(random, [10, 84, 172, 192, 203]), ...[1, 2, 3].map(() => Math.floor(random() * 256))].join("."),
      () => `2001:db8:${from(random, HEX, 4)}::${from(random, HEX, 3)}`,
      () => Array.from({ length: 8 }, () => `1${from(random, HEX, 3)}`).join(":"),
      () => `fe80::1ff:fe23:4567:${from(random, HEX, 4)}`,
      () => `::ffff:84.17.${Math.floor(random() * 256)}.9`,
    ])(),
  nationalId: (random) =>
    pick(random, [
      () => `${pick(random, ["123", "219", "457"])}-${pick(random, ["09", "45"])}-${pick(random, ["9999", "1120"])}`,
      () => {
        const cpf = until(() => digits(random, 11), passesCpf);
        return `${cpf.slice(0, 3)}.${cpf.slice(3, 6)}.${cpf.slice(6, 9)}-${cpf.slice(9)}`;
      },
      () => until(() => digits(random, 8) + from(random, UPPER, 1), passesDni),
      () => until(() => `X${digits(random, 7)}${from(random, UPPER, 1)}`, passesDni),
      () => until(() => `285${pick(random, ["01", "12"])}${digits(random, 10)}`, passesNir),
      () => {
        const id = until(() => `${pick(random, ["2", "8"])}${digits(random, 10)}`, passesSteuerId);
        return `${id.slice(0, 2)} ${id.slice(2, 5)} ${id.slice(5, 8)} ${id.slice(8)}`;
      },
      () => `RSSMRA85T10A562${from(random, UPPER, 1)}`,
      () => {
        const number = until(
          () => `81${pick(random, ["01", "12"])}1${digits(random, 1)}${digits(random, 4)}`,
          passesLuhn,
        );
        return `${number.slice(0, 6)}-${number.slice(6)}`;
      },
      () => `QQ ${digits(random, 2)} ${digits(random, 2)} ${digits(random, 2)} C`.replace("QQ", "AB"),
      // Bare, and so without anything that sets it apart.
      () => until(() => digits(random, 11), passesCpf),
    ])(),
  bearer: (random) =>
    `${pick(random, ["Bearer", "bearer", "Basic"])} ${from(random, BASE64URL, 20 + Math.floor(random() * 60))}`,
  ownToken: (random) => `ctm_${from(random, HEX, 16)}_${from(random, BASE64URL, 43)}`,
  issuedToken: (random) =>
    pick(random, [
      () => `ghp_${from(random, BASE64URL.replace(/[-_]/g, ""), 36)}`,
      () => `AKIA${from(random, `${UPPER}234567`, 16)}`,
      () => `whsec_${Buffer.from(from(random, BASE64URL, 32)).toString("base64")}`,
      () => `glpat-${from(random, BASE64URL, 20)}`,
      () => `xoxb-${digits(random, 12)}-${from(random, BASE64URL, 24)}`,
      () => `hf_${from(random, BASE64URL.replace(/[-_]/g, ""), 34)}`,
    ])(),
  jwt: (random) => `eyJ${from(random, BASE64URL, 30)}.eyJ${from(random, BASE64URL, 60)}.${from(random, BASE64URL, 43)}`,
  pem: (random) => {
    const kind = pick(random, ["PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY", "CERTIFICATE"]);
    const gap = pick(random, ["\n", "\\n"]);
    return `-----BEGIN ${kind}-----${gap}${from(random, `${BASE64URL}+/`.replace(/[-_]/g, ""), 64)}${gap}-----END ${kind}-----`;
  },
  labelled: (random) => {
    const value = `${pick(random, ["hunter", "Sommer!", "pässwort"])}${digits(random, 3)}`;
    return pick(random, [
      `password=${value}`,
      `"clientSecret":"${value}"`,
      `CONTINUUM_KEY_PASSWORD=${value}`,
      `?token=${value}&x=1`,
      `api_key: ${value}`,
      `https://ada:${value}@hooks.example.com/x`,
      `postgres://app:${value}@db.internal:5432/app`,
    ]);
  },
};

/** Places in which it turns up: sentences, JSON, query strings, tables. */
const PLACES: readonly ((planted: string) => string)[] = [
  (planted) => `the request failed: ${planted}`,
  (planted) => `{"reason":"no such customer ${planted}","code":404}`,
  (planted) => `${planted}`,
  (planted) => `could not deliver to <${planted}>, will try again in 30 s`,
  (planted) => `name,contact,amount\nx,${planted},3.50`,
  (planted) => `(${planted}) was refused at 2026-11-23T07:00:00.000Z`,
  (planted) => `row 17 | ${planted} | ok`,
];

export function positives(seed: number, each: number): Positive[] {
  const random = seededRandom(seed);
  return Object.entries(KINDS).flatMap(([kind, make]) =>
    Array.from({ length: each }, () => {
      const planted = make(random);
      return { kind, planted, text: pick(random, PLACES)(planted) };
    }),
  );
}

/** What logs and errors are full of, and what must stay to be read. */
export function generatedNegatives(seed: number, each: number): string[] {
  const random = seededRandom(seed);
  const ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const time = () => new Date(1_700_000_000_000 + Math.floor(random() * 2e11));
  const makers: (() => string)[] = [
    () => `sha256:${createHash("sha256").update(String(random())).digest("hex")}`,
    () => `sha256-${createHash("sha256").update(String(random())).digest("base64")}`,
    () => from(random, HEX, 40),
    () => from(random, HEX, 7),
    () => `01${from(random, ULID, 24)}`,
    () => `r-01${from(random, ULID, 24).toLowerCase()}`,
    () =>
      `${from(random, HEX, 8)}-${from(random, HEX, 4)}-4${from(random, HEX, 3)}-a${from(random, HEX, 3)}-${from(random, HEX, 12)}`,
    () => time().toISOString(),
    () => String(time().getTime()),
    () => String(time().getTime() * 1000),
    () => `${time().getTime()}000000`,
    () =>
      time()
        .toISOString()
        .replace(/\.\d+Z$/, "+01:00"),
    () => time().toISOString().slice(0, 10),
    () => `${time().toISOString().replace(/[-:.]/g, "")}-${digits(random, 6)}.jsonl`,
    () => `${Math.floor(random() * 40)}.${Math.floor(random() * 40)}.${Math.floor(random() * 300)}`,
    () =>
      `v${Math.floor(random() * 40)}.${Math.floor(random() * 40)}.${Math.floor(random() * 300)}-rc.${Math.floor(random() * 9)}`,
    () => `$${(random() * 1000).toFixed(2)} an hour`,
    () => `${(random() * 1e6).toFixed(6)} USD`,
    () => `${Math.floor(random() * 1e9)} bytes`,
    () => String(Math.floor(random() * Number.MAX_SAFE_INTEGER)),
    () => String(random()),
    () => `registry.example.com/ml/churn@sha256:${from(random, HEX, 64)}`,
    () => `127.0.0.1:${Math.floor(1024 + random() * 60000)}`,
    () => `job ${Math.floor(random() * 1e7)} of worker ${Math.floor(random() * 64)}`,
    () => `generation ${Math.floor(random() * 1e12)}`,
    () => `${Math.floor(random() * 1e4)} ms, p99 ${(random() * 100).toFixed(3)} ms`,
    () => `ctm_${from(random, HEX, 16)}`,
    () => `/spec/compute/instanceCount ${Math.floor(random() * 9)} -> ${Math.floor(random() * 9)}`,
  ];
  const places = [
    (text: string) => text,
    (text: string) => `the artifact ${text} cannot be used`,
    (text: string) => `{"value":"${text}"}`,
  ];
  return makers.flatMap((make) => Array.from({ length: each }, () => pick(random, places)(make())));
}

/** Written by hand, because each looks like what it is not. */
export const HARD_NEGATIVES: readonly string[] = [
  "the secret file /run/keys/a.key is open to other users (mode 644); make it 600 or 640",
  "a secret's reference must be file:PATH or env:NAME",
  "bad setting artifacts.keyReference, continuum.yaml:3:14, must be file:PATH or env:NAME",
  "artifacts.keyReference=file:/var/lib/continuum/keys/artifact-store.key",
  "the token is missing or has expired",
  "token: missing",
  "password: required",
  "basic authentication is off",
  "bearer tokens are not accepted here",
  "session: expired",
  "secret: not found",
  "tokens: 12 valid, 3 revoked",
  "credential: unknown",
  "authorization: refused",
  "cookie: absent",
  "otp: wrong",
  "session expired after 30 minutes",
  "npm install @scope/name@1.2.3-rc.dev",
  "left-pad@1.3.0",
  "continuum@0.4.2",
  "user@localhost",
  "a @ b",
  "50% @ 3.20",
  "std::vector<int>",
  "a::b",
  "Foo::Bar::baz",
  "::1",
  "::",
  "[::1]:7400",
  "http://127.0.0.1:7400/v1/plans",
  "0.0.0.0:7401",
  "127.0.0.53",
  "Chrome/120.0.0.0 Safari/537.36",
  "PostgreSQL 18.1",
  "Node v26.1.0",
  "onnxruntime 1.30.0",
  "07:00:00",
  "2026-11-23 07:00:00.123",
  "2026-11-23T07:00:00+00:00",
  "20261123T070000Z",
  "23.11.2026",
  "11/23/2026",
  "1795417200000",
  "1795417200000000000",
  "17954172.25",
  "1e+21",
  "-1234567890",
  "4111111111111112",
  "1234567812345678",
  "0000000000000000",
  "9007199254740991",
  "18446744073709551615",
  "3.14159265358979",
  "0.4111111111111111",
  "DE00 0000 0000 0000 0000 00",
  "GB29 NWBK 6016 1331 9268 18",
  "XX12345678901234567890",
  "AB12CD34EF56",
  "sha256:0000000000000000000000000000000000000000000000000000000000000000",
  "ml.m5.large x 2",
  "ml.g5.12xlarge",
  "AO-14: the artifact is encrypted",
  "CP-1, CP-5, CP-6",
  "RFC 6962",
  "ISO 8601",
  "HTTP 503",
  "exit code 77",
  "urn:continuum:approval:v1",
  "application/vnd.in-toto+json",
  "text/csv; charset=utf-8",
  "ECDSA P-256 with SHA-256",
  "123-45",
  "12-34-56",
  "000-12-3456",
  "900-12-3456",
  "100-200-300",
  "1-2-3-4-5-6-7-8-9",
  "12345678A",
  "99999999R0",
  "10.5.2",
  "1.2.3.4.5",
  "256.1.1.1",
  "1.2.3",
  "v1.2.3.4",
  "01.02.03.04",
  "3 of 5 windows",
  "n = 1000, p = 0.0123",
  "requests 12345678 errors 12",
  "rows 1 000 000",
  "1,234,567,890",
  "1 234 567 890",
  "12_345_678",
  "0x7f.1",
  "port 5432",
  "pid 4194304",
  "mode 100644",
  "inode 12345678",
  "0001-engine.md",
  "000001.copy",
  "000123-000456",
  "postgres://db.internal:5432/continuum",
  "https://hooks.example.com/continuum?x=1",
  "redis://cache:6379/0",
  "git+https://github.com/acme/churn@refs/heads/main",
  "https://github.com/acme/churn/.github/workflows/ci.yml@refs/tags/v1",
  "system:serviceaccount:default:continuum",
  "arn:aws:sagemaker:eu-central-1::model/churn",
  "eyJ is how a token begins",
  "BEGIN and END",
  "-----",
  "the key's id is 3f2a9c1b5d7e8f60",
  "keyId sha256:ab",
  "row 17, column 4",
  "line 3:14",
  "+10:00",
  "+1",
  "+5 %",
  "+12345",
  "0.1 + 0.2",
  "00:00",
  "00",
  "007",
  "0049",
  "2026-11",
  "Q4 2026",
  "50/50",
  "24/7",
  "canary 10/90",
  "1/3 2/3",
  "(1) (2) (3)",
  "100-499",
  "200-299 is fine",
  "8 x 4096",
  "4 x 1080 Ti",
  "64 GiB of 128 GiB",
];
