/**
 * Time-based one-time codes (RFC 6238): HMAC-SHA-1, six digits, steps of thirty seconds, as every authenticator program
 * does them unasked. The library keeps nothing, so which steps were used is the caller's to remember. It is loaded when
 * somebody brings a code: most processes never need it.
 */
export const TOTP_STEP_SECONDS = 30;
/** Steps to each side of the present one: clocks differ, and people type slowly. */
const STEPS_AROUND = 1;

/** The step that the code is of, when it is near enough and later than the last one used; undefined otherwise. */
export async function findTotpStep(
  secret: Uint8Array,
  given: { code: string; nowMs: number; lastStep: number },
): Promise<number | undefined> {
  const { TOTP } = await import("otpauth");
  const delta = TOTP.validate({
    ...{ token: given.code, secret: await secretOf(secret), timestamp: given.nowMs },
    ...{ period: TOTP_STEP_SECONDS, window: STEPS_AROUND },
  });
  if (delta === null) return undefined;
  const step = Math.floor(given.nowMs / 1000 / TOTP_STEP_SECONDS) + delta;
  return step > given.lastStep ? step : undefined;
}

/** What an authenticator program reads, also as a QR code, and the secret for those who type it. */
export async function totpEnrolment(
  secret: Uint8Array,
  person: { tenant: string; principal: string },
): Promise<{ secret: string; uri: string }> {
  const { TOTP } = await import("otpauth");
  const label = `${person.principal}@${person.tenant}`;
  const totp = new TOTP({ issuer: "Continuum", label, secret: await secretOf(secret), period: TOTP_STEP_SECONDS });
  return { secret: totp.secret.base32, uri: totp.toString() };
}

async function secretOf(bytes: Uint8Array) {
  const { Secret } = await import("otpauth");
  // A buffer of its own: a Buffer's may be a part of a larger one that holds other things.
  return new Secret({ buffer: new Uint8Array(bytes).buffer });
}
