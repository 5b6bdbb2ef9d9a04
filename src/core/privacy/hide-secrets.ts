/** What opens something: whoever reads it in a log could use it. Every pattern is bounded, so that no text is slow. */

export function hideSecrets(text: string): string {
  return hideLabelled(hideTokens(hideUrlCredentials(hidePem(text))));
}

const PEM_START = "-----BEGIN ";
const PEM_END = /-----END [A-Z0-9 ]{1,40}-----/g;

/** From the first line of a block to its last; one whose end is not there reaches to the end of the text. */
function hidePem(text: string): string {
  if (!text.includes(PEM_START)) return text;
  let hidden = "";
  let from = 0;
  for (let at = text.indexOf(PEM_START); at !== -1; at = text.indexOf(PEM_START, from)) {
    PEM_END.lastIndex = at;
    hidden += `${text.slice(from, at)}[pem]`;
    from = PEM_END.exec(text) === null ? text.length : PEM_END.lastIndex;
  }
  return hidden + text.slice(from);
}

const URL_CREDENTIALS = /([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#"'<>]{1,512}@/gi;
const OTPAUTH = /otpauth:\/\/[^\s"'<>]{1,1024}/gi;

function hideUrlCredentials(text: string): string {
  if (!text.includes("://")) return text;
  return text.replace(OTPAUTH, "[secret]").replace(URL_CREDENTIALS, "$1[credentials]@");
}

/** A JSON object in base64url begins with `eyJ`; a second part after a dot makes it a token. */
const JWT = /(?<![\w-])eyJ[\w-]{6,4096}\.[\w-]{2,8192}(?:\.[\w-]{0,4096}){0,3}/g;
const SCHEME = /\b(bearer|basic|dpop|negotiate)((?:\s|%20){1,4})([\w.~+/=-]{6,4096})/gi;
/** The prefixes that issuers give their secrets, so that they are found: this program's own two come first. */
const PREFIXED = new RegExp(
  `(?<![A-Za-z0-9])(?:${[
    "ctm_[0-9a-f]{16}_[\\w-]{8,64}",
    "whsec_[A-Za-z0-9+/=_-]{12,128}",
    "gh[pousr]_[A-Za-z0-9]{20,255}",
    "github_pat_\\w{20,255}",
    "glpat-[\\w-]{16,255}",
    "xox[abeoprs]-[\\w-]{10,255}",
    "(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    "[sr]k[-_](?:live|test|proj|ant)[-_][\\w-]{16,255}",
    "sk-[A-Za-z0-9]{32,255}",
    "npm_[A-Za-z0-9]{30,64}",
    "pypi-[\\w-]{16,255}",
    "hf_[A-Za-z0-9]{20,64}",
    "dckr_pat_[\\w-]{16,64}",
    "AIza[\\w-]{30,40}",
    "AGE-SECRET-KEY-1[0-9A-Z]{40,80}",
  ].join("|")})`,
  "g",
);

function hideTokens(text: string): string {
  return text
    .replace(JWT, "[token]")
    .replace(SCHEME, (whole, scheme: string, gap: string, value: string) =>
      looksRandom(value) ? `${scheme}${gap}[token]` : whole,
    )
    .replace(PREFIXED, "[token]");
}

const LABELLED =
  /(pass(?:word|wd|phrase|code)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|client[_-]?secret|authorization|credentials?|session|cookie|otp|totp|mfa[_-]?code)(\\?["']?\s{0,4})([=:])(\s{0,4})(\\?["']?)([^\s"'&,;\\]{4,1024})/gi;

/** A value behind a name that says it is secret. After a colon a word may just be a sentence going on. */
function hideLabelled(text: string): string {
  return text.replace(
    LABELLED,
    (whole, name: string, gap: string, sign: string, space: string, quote: string, value: string) => {
      // A reference says where a secret is, and a mark is what this very function leaves.
      if (/^(?:file:|env:|\[)/.test(value)) return whole;
      const isStated = sign === "=" || (quote !== "" && gap !== "") || looksRandom(value);
      return isStated ? `${name}${gap}${sign}${space}${quote}[secret]` : whole;
    },
  );
}

/** A word of a language has no digits in it and no capital after a small letter. */
function looksRandom(value: string): boolean {
  return /\d/.test(value) ? value.length >= 6 : /[=+/]$|[a-z][A-Z]/.test(value) || value.length >= 32;
}
