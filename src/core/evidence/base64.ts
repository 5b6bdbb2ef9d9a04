/**
 * The bytes of a standard base64 text with its padding, null for anything else. Node's own decoder skips what it does
 * not know, so that one signature would have many spellings; here each has one.
 */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}
