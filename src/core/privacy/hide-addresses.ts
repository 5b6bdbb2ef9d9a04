/** E-mail and IP addresses. Every pattern is bounded, so that no text is slow. */

/** RFC 5321's lengths; letters of any script; `%40` is how a URL writes the sign. */
const EMAIL =
  /[\p{L}\p{N}._%+'-]{1,64}(?:@|%40)([\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){0,8}\.\p{L}{2,24})(?![\p{L}\p{N}])/gu;

export function hideEmails(text: string): string {
  if (!text.includes("@") && !text.includes("%40")) return text;
  // Two labels of digits alone are a version, such as name@1.2.3-rc.dev, and no domain.
  return text.replace(EMAIL, (whole, domain: string) => (/^\d+\.\d+(?:\.|-)/.test(domain) ? whole : "[email]"));
}

/** Not after a product's name and a slash, which is a version. */
const IPV4 = /(?<![\w.]|[A-Za-z]\/)\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)/g;
const IPV6 = /(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?![\w:])/g;

/** Those of this machine itself (loopback, none) say nothing of anybody and stay. */
export function hideIpAddresses(text: string): string {
  const hidden = text.replace(IPV4, (found) =>
    isIpv4(found) && !/^(?:127\.|0\.0\.0\.0$)/.test(found) ? "[ip]" : found,
  );
  if (!hidden.includes(":")) return hidden;
  return hidden.replace(IPV6, (found) =>
    isIpv6(found) && !/^(?:::|::1|::ffff:127\..*)$/i.test(found) ? "[ip]" : found,
  );
}

function isIpv4(text: string): boolean {
  return text.split(".").every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** RFC 4291, with at least three groups: `a::b` is far more often a name in a program. */
function isIpv6(text: string): boolean {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return false;
  const groupsOf = (part: string) => (part === "" ? [] : part.split(":"));
  const groups = [...groupsOf(head), ...groupsOf(tail ?? "")];
  const last = groups.at(-1) ?? "";
  const isMixed = last.includes(".");
  if (isMixed && !isIpv4(last)) return false;
  const plain = isMixed ? groups.slice(0, -1) : groups;
  if (!plain.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  const count = plain.length + (isMixed ? 2 : 0);
  return tail === undefined ? count === 8 : count >= 3 && count <= 7;
}
