import { passesCpf, passesDni, passesIban, passesLuhn, passesNir, passesSteuerId } from "./check-digits.ts";

/** Numbers that name a person or an account. Every pattern is bounded, so that no text is slow. */
export function hideNumbers(text: string): string {
  if (!/\d{2}/.test(text)) return text;
  return hidePhones(hideNational(hideCards(hideIbans(text))));
}

/** Characters of an IBAN by country (the registry of ISO 13616). */
const IBAN_LENGTHS: ReadonlyMap<string, number> = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 " +
    "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 " +
    "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 " +
    "SI19 SK24 SM27 ST25 SV28 TN24 TR26 UA29 VA22 VG24 XK20"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);
const IBAN_START = /(?<![A-Za-z0-9]|[0-9A-Fa-f]-)[A-Za-z]{2}\d{2}/g;

function hideIbans(text: string): string {
  let hidden = "";
  let from = 0;
  IBAN_START.lastIndex = 0;
  for (let found = IBAN_START.exec(text); found !== null; found = IBAN_START.exec(text)) {
    const end = ibanEnd(text, found.index);
    if (end === undefined) continue;
    hidden += `${text.slice(from, found.index)}[iban]`;
    from = end;
    IBAN_START.lastIndex = end;
  }
  return hidden + text.slice(from);
}

/** Where the IBAN that begins there ends; its groups may have a space or a hyphen between them. */
function ibanEnd(text: string, start: number): number | undefined {
  const length = IBAN_LENGTHS.get(text.slice(start, start + 2).toUpperCase());
  if (length === undefined) return undefined;
  let compact = "";
  let at = start;
  while (compact.length < length) {
    const character = text[at] ?? "";
    const isGap = compact.length % 4 === 0 && /[ -]/.test(character) && /[A-Za-z0-9]/.test(text[at + 1] ?? "");
    if (!isGap && !/[A-Za-z0-9]/.test(character)) return undefined;
    if (!isGap) compact += character;
    at += 1;
  }
  return /[A-Za-z0-9]/.test(text[at] ?? "") || !passesIban(compact.toUpperCase()) ? undefined : at;
}

const CARD = /(?<![\w.])(?:\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}|\d{4}[ -]\d{6}[ -]\d{4,5}|\d{14,19})(?!\w|\.\d)/g;
/** The issuers' ranges and lengths: Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay, Maestro. */
const ISSUED =
  /^(?:4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}|(?:5018|5020|5038|6304|6759|676[1-3])\d{8,15})$/;

function hideCards(text: string): string {
  return text.replace(CARD, (found) => {
    const digits = found.replace(/\D/g, "");
    return ISSUED.test(digits) && passesLuhn(digits) ? "[card]" : found;
  });
}

const digitsOf = (text: string) => text.replace(/\D/g, "");

/** Numbers that a state gave a person, where a check digit or their very form sets them apart from other numbers. */
const NATIONAL: readonly { form: RegExp; passes(found: string): boolean }[] = [
  // United States: social security.
  { form: /(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g, passes: () => true },
  // Brazil: CPF.
  { form: /(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)/g, passes: (found) => passesCpf(digitsOf(found)) },
  // Spain: DNI and NIE.
  {
    form: /(?<![\w-])(?:\d{8}|[XYZ]-?\d{7})-?[A-Z](?![\w-])/g,
    passes: (found) => passesDni(found.replaceAll("-", "")),
  },
  // France: social security.
  {
    form: /(?<![\w.])[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3} ?\d{2}(?!\w|\.\d)/g,
    passes: (found) => passesNir(digitsOf(found)),
  },
  // Italy: codice fiscale.
  { form: /(?<!\w)[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z](?!\w)/gi, passes: () => true },
  // Germany: tax number.
  { form: /(?<![\w.])\d{2} \d{3} \d{3} \d{3}(?! ?\d|\w)/g, passes: (found) => passesSteuerId(digitsOf(found)) },
  // Sweden: personnummer.
  {
    form: /(?<![\w.-])\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}(?![\w-])/g,
    passes: (found) => passesLuhn(digitsOf(found)),
  },
  // United Kingdom: national insurance.
  {
    form: /(?<!\w)(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)/g,
    passes: () => true,
  },
];

function hideNational(text: string): string {
  return NATIONAL.reduce(
    (hidden, { form, passes }) => hidden.replace(form, (found) => (passes(found) ? "[id]" : found)),
    text,
  );
}

const INTERNATIONAL = /(?:(?<![\w+])\+|(?<![\w.+-])00)[1-9][\d ()./-]{6,24}/g;
/** As North America, France, and those countries write them where numbers within begin with a zero. */
const WITHIN = [
  /(?<![\w.+-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?!\w|[.-]\d)/g,
  /(?<![\w.:+-]|\d,)0[1-9](?:[ .-]\d{2}){4}(?!\w|[.-]\d)/g,
  /(?<![\w.:+-]|\d,)\(?0[1-9]\d{1,4}\)?(?: ?[/-] ?| )\d{2,4}(?:[ -]?\d{2,5}){1,3}(?!\w|[:.]\d)/g,
];
const NAMED =
  /\b(tel|telephone|phone|mobile|cell|fax|whatsapp|sms)(["']?[ .:=]{1,4}["']?)(\(?\+?\d[\d ()./-]{5,20}\d)(?!\w)/gi;

function hidePhones(text: string): string {
  const named = text.replace(NAMED, "$1$2[phone]").replace(INTERNATIONAL, hideInternational);
  return WITHIN.reduce(
    (hidden, form) => hidden.replace(form, (found) => (digitsOf(found).length <= 14 ? "[phone]" : found)),
    named,
  );
}

/** The longest beginning that has 8 to 15 digits (E.164) and ends with a group; bare ones need ten. */
function hideInternational(found: string): string {
  let end = 0;
  let digits = 0;
  for (let at = 0; at < found.length; at += 1) {
    if (!/\d/.test(found[at] ?? "")) continue;
    digits += 1;
    if (digits > 15) break;
    if (digits >= 8 && !/\d/.test(found[at + 1] ?? "")) end = at + 1;
  }
  const number = found.slice(0, end);
  const isBare = /^\+?\d*$/.test(number);
  if (end === 0 || (isBare && (!number.startsWith("+") || number.length < 11))) return found;
  return `[phone]${found.slice(end)}`;
}
