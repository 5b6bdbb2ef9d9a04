import { RELYING_PARTY } from "../../../service/testing/service-fixture.ts";
import { SoftwareAuthenticator } from "../../../service/testing/software-authenticator.ts";
import type { Answer, HttpFixture } from "./http-fixture.ts";

type Asker = Pick<HttpFixture, "ask">;

/** Asks as the installation's own page does for somebody who is not signed in. */
export function fromOwnPage(
  on: Asker,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const own = { origin: RELYING_PARTY.origin, ...headers };
  return on.ask(path, { method: "POST", token: null, body, headers: own });
}

/** The cookie of an answer, as a browser would send it back. */
export function cookieOf({ headers }: Answer, name = "__Host-continuum-session"): string {
  const set = headers.getSetCookie().find((one) => one.startsWith(`${name}=`));
  if (set === undefined) throw new Error(`the answer sets no ${name}`);
  return set.split(";")[0] ?? "";
}

/** Registers a passkey by a one-time code; answers the authenticator and the session that this began. */
export async function signInByPasskey(
  on: Asker,
  code: string,
): Promise<{ key: SoftwareAuthenticator; cookie: string; answer: Answer }> {
  const offered = await fromOwnPage(on, "/v1/sign-in/enrolment/options", { code });
  const { challenge, user } = offered.body["options"] as { challenge: string; user: { id: string } };
  const key = new SoftwareAuthenticator(RELYING_PARTY.origin);
  const registration = key.register({ challenge }, user.id);
  const answer = await fromOwnPage(on, "/v1/sign-in/enrolment", { code, registration });
  return { key, answer, cookie: cookieOf(answer) };
}
