import { describe, expect, test } from "vitest";
import { SCRUBBED_CHARACTERS_MAX, scrub } from "./scrub.ts";
import { generatedNegatives, HARD_NEGATIVES, positives, seededRandom } from "./testing/labelled-sample.ts";

const SEED = 20_261_123;
/** What the guide on personal data states; a change that makes either worse has to change the guide. */
const RECALL_MIN = 0.97;
const RECALL_OF_KIND_MIN = 0.88;
const FALSE_POSITIVES_MAX = 0.005;

const isGone = (planted: string, after: string) => !after.includes(planted);

describe("the scrubber on a labelled sample", () => {
  const sample = positives(SEED, 200);

  test("finds what was planted", () => {
    const kinds = Map.groupBy(sample, ({ kind }) => kind);
    const missed: string[] = [];
    const recall = [...kinds].map(([kind, cases]) => {
      const left = cases.filter(({ planted, text }) => !isGone(planted, scrub(text)));
      missed.push(...left.map(({ text }) => `${kind}: ${text}`));
      return { kind, recall: 1 - left.length / cases.length };
    });
    for (const { kind, recall: found } of recall)
      expect(found, `${kind}\n${missed.slice(0, 20).join("\n")}`).toBeGreaterThanOrEqual(RECALL_OF_KIND_MIN);
    const whole = 1 - missed.length / sample.length;
    expect(whole, JSON.stringify({ recall, missed }, null, 1)).toBeGreaterThanOrEqual(RECALL_MIN);
  });

  test("leaves alone what a log is for", () => {
    const negatives = [...HARD_NEGATIVES, ...generatedNegatives(SEED, 100)];
    const changed = negatives.filter((text) => scrub(text) !== text);
    expect(changed.length / negatives.length, changed.join("\n")).toBeLessThanOrEqual(FALSE_POSITIVES_MAX);
    expect(HARD_NEGATIVES.filter((text) => scrub(text) !== text)).toEqual([]);
  });

  test("finds nothing more in what it wrote", () => {
    for (const { text } of sample) {
      const once = scrub(text);
      expect(scrub(once)).toBe(once);
    }
  });
});

describe("each kind", () => {
  test.each([
    ["mail to ada@example.com, please", "mail to [email], please"],
    ["call +49 30 1234567 now", "call [phone] now"],
    ["card 4111 1111 1111 1111 exp 12/29", "card [card] exp 12/29"],
    ["to DE89 3704 0044 0532 0130 00 paid", "to [iban] paid"],
    ["from 203.0.113.7:51234", "from [ip]:51234"],
    ["from 2001:db8::1:2, twice", "from [ip], twice"],
    ["SSN 123-45-6789", "SSN [id]"],
    ["Authorization: Bearer abc123def456ghi789", "Authorization: Bearer [token]"],
    ["https://ada:hunter2@example.com/x", "https://[credentials]@example.com/x"],
    ["-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----, then", "[pem], then"],
    ["-----BEGIN PRIVATE KEY-----\nMIIabc and no end", "[pem]"],
    ["__Host-continuum-session=AbC123xyz; Path=/", "__Host-continuum-session=[secret]; Path=/"],
    ["otpauth://totp/ada?secret=JBSWY3DPEHPK3PXP", "[secret]"],
    ['{"password":"opensesame","x":1}', '{"password":"[secret]","x":1}'],
  ])("%j becomes %j", (before, after) => {
    expect(scrub(before)).toBe(after);
  });

  test("addresses stay where they are the point", () => {
    expect(scrub("10.1.2.3 is not allowed, ask ada@example.com", { addresses: "keep" })).toBe(
      "10.1.2.3 is not allowed, ask [email]",
    );
  });

  test("a value in JSON stays a value", () => {
    for (const { planted } of positives(SEED + 1, 50))
      expect(() => JSON.parse(scrub(JSON.stringify({ reason: planted })))).not.toThrow();
  });
});

describe("lines that mean harm", () => {
  const MEGABYTE = 1024 * 1024;
  const fill = (piece: string) => piece.repeat(Math.ceil(MEGABYTE / piece.length)).slice(0, MEGABYTE);
  const random = seededRandom(SEED);
  const mixed = Array.from({ length: 4000 }, () => "aA1@.:-+ /()%=eyJ_0"[Math.floor(random() * 19)]).join("");
  const PIECES = [
    ...[
      "a",
      "1",
      "@",
      ".",
      ":",
      "-",
      "+",
      " ",
      "(",
      "=",
      "%40",
      "a@",
      "a.",
      "1.",
      "1 ",
      "1-",
      "+1",
      "00",
      "0 1",
      "::",
      "f:",
    ],
    ...[
      "eyJ",
      "eyJ-",
      "eyJa.",
      "bearer ",
      "bearer a",
      "password=",
      "token:",
      "a://",
      "a://b",
      "DE89 ",
      "GB29N",
      "ctm_",
      "ghp_",
    ],
    ...[
      "-----BEGIN ",
      "-----BEGIN -----END ",
      "1.1.1.1.",
      "0171 ",
      "(415) 55",
      "4111 ",
      "123-45-",
      "tel: 1",
      "ü",
      "\u0000",
    ],
    ...["\ud83d", "a@a.", "a@1.2.", "x".repeat(64), `${"a".repeat(63)}.`, mixed],
  ];

  test("take no longer than others of their length, and nothing behind the cap is read", () => {
    scrub(fill("warm ada@example.com 1.2.3.4 "));
    for (const piece of PIECES) {
      const line = fill(piece);
      const before = process.cpuUsage();
      const after = scrub(line);
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000, JSON.stringify(piece.slice(0, 40))).toBeLessThan(250);
      expect(after.length).toBeLessThanOrEqual(2 * SCRUBBED_CHARACTERS_MAX);
    }
  });

  test("that are cut lose their last word, which may be half a secret", () => {
    const secret = `ada@example.com`;
    for (let shift = 0; shift < secret.length + 2; shift += 1) {
      const head = "x ".repeat(SCRUBBED_CHARACTERS_MAX / 2 - 10) + "y".repeat(shift);
      const after = scrub(`${head} ${secret} ${fill("z")}`);
      expect(after).not.toMatch(/ada|example/);
      expect(after).toMatch(/\[cut\]$/);
    }
  });
});
