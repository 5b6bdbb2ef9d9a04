import type { Context, Hono } from "hono";
import type { z } from "zod";
import { type SignInOperation, signInOperations } from "../../contract/sign-in-operations.ts";
import { ContinuumError } from "../../core/error.ts";
import { Refusal } from "../../service/refusal.ts";
import type { Service } from "../../service/service.ts";
import type { SignedIn, Visitor } from "../../service/sign-in.ts";
import { networkOf } from "../../service/sign-in-throttle.ts";
import type { ClientAddresses } from "./client-address.ts";
import { pageOfItsOwn } from "./page-routes.ts";
import { RateLimiter } from "./rate-limit.ts";
import { HeldBytes, readInput } from "./request.ts";
import { giveOidcState, giveSession, requireOrigin, sessionOf, takeOidcState, takeSession } from "./session-cookie.ts";

type Name = keyof typeof signInOperations;
type Body<N extends Name> = (typeof signInOperations)[N] extends { body: infer S extends z.ZodType }
  ? z.infer<S>
  : undefined;
type Answer = (c: Context, body: never) => Promise<object>;

/** Bytes of one such request, and of all of them together: nobody who sends them is known yet. */
const LIMITS = { jsonBytesMax: 128 * 1024, rawBytesMax: 0, heldBytesMax: 4 * 1024 * 1024 };
/** Of one address: each asks the database for something, and nobody who signs in comes near it. */
const ASKED = { requestsPerSecond: 2, burstMax: 60 };
const OIDC_PATH = "/v1/sign-in/oidc";

/** The ways in, which alone are open to whoever has no credential. */
export function signInRoutes(app: Hono, options: { service: Service; addresses: ClientAddresses }): void {
  const { signIn } = options.service;
  const held = new HeldBytes(LIMITS.heldBytesMax);
  const limiter = new RateLimiter(ASKED);
  const visitor = (c: Context): Visitor => {
    const session = sessionOf(c);
    const address = options.addresses.of(c);
    limiter.take({ tenant: "", id: networkOf(address) });
    return { address, ...(session === undefined ? {} : { session }) };
  };
  const answers: { [N in Name]: (c: Context, body: Body<N>) => Promise<object> } = {
    "signIn.ways": async () => signIn.ways(),
    "signIn.passkey.options": (c) => signIn.passkeyOptions(visitor(c)),
    "signIn.passkey": async (c, body) => welcome(c, await signIn.passkey(visitor(c), body)),
    "signIn.enrolment.options": (c, body) => signIn.enrolmentOptions(visitor(c), body.code),
    "signIn.enrolment": async (c, body) => welcome(c, await signIn.enrol(visitor(c), body)),
    "signIn.out": async (c) => {
      const session = sessionOf(c);
      if (session !== undefined) await signIn.signOut(session);
      takeSession(c);
      return { signedOut: session !== undefined };
    },
  };
  for (const [name, operation] of Object.entries(signInOperations) as [Name, SignInOperation][]) {
    app.on(operation.method, operation.path, async (c: Context) => {
      c.set("operation", name);
      if (operation.method !== "GET") requireOrigin(c, signIn.ways().origin);
      const hold = held.hold();
      try {
        const { body } = await readInput(c, { ...operation, permission: "read" }, { limits: LIMITS, hold });
        const answer = await (answers[name] as Answer)(c, body as never);
        return c.json(answer, operation.status === 201 ? 201 : 200);
      } finally {
        hold.release();
      }
    });
  }
  oidcRoutes(app, options.service, visitor);
}

/** What a browser follows by itself: to the identity provider, and back. */
function oidcRoutes(app: Hono, { signIn }: Service, visitor: (c: Context) => Visitor): void {
  app.get(OIDC_PATH, async (c: Context) => {
    c.set("operation", "signIn.oidc");
    const site = c.req.header("sec-fetch-site");
    if (site === "cross-site") throw new Refusal("forbidden", "Begin on our own page: another site led here.");
    const { url, state } = await signIn.oidcStart(visitor(c));
    giveOidcState(c, state);
    return c.redirect(url, 302);
  });
  app.get(`${OIDC_PATH}/callback`, async (c: Context) => {
    c.set("operation", "signIn.oidc");
    const state = takeOidcState(c);
    try {
      if (state === undefined) throw new Refusal("sign-in-refused", "This sign-in was not begun in this browser.");
      welcome(c, await signIn.oidcFinish(visitor(c), { url: new URL(c.req.url), state }));
    } catch (error) {
      if (!(error instanceof ContinuumError) || !(error instanceof Refusal || error.retryable)) throw error;
      const code = error instanceof Refusal ? error.code : "unavailable";
      return pageOfItsOwn(c, `/#refused=${encodeURIComponent(code)}`);
    }
    return pageOfItsOwn(c, "/");
  });
}

function welcome(c: Context, signedIn: SignedIn): object {
  const { tenant, principal, secret, expiresAtMs, beganAtMs } = signedIn;
  giveSession(c, { secret, expiresAtMs, nowMs: beganAtMs });
  return { tenant, principal, expiresAt: new Date(expiresAtMs).toISOString() };
}
