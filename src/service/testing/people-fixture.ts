import type { PrincipalKind, Role } from "../../contract/operation.ts";
import { webhookNotifications } from "../../drivers/notifications/webhook/webhook-notifications.ts";
import type { Database } from "../../store/database.ts";
import { upsertPrincipal } from "../../store/queries/principals.ts";
import { createTenant } from "../../store/queries/tenants.ts";
import { createTestDatabase } from "../../store/testing/test-database.ts";
import { peopleHandlers } from "../people.ts";
import type { OidcParts, PeopleParts } from "../people-parts.ts";
import { actorOf, type Principal } from "../principal.ts";
import { principalOfSession } from "../sessions.ts";
import { createSignIn, type SignedIn, type SignIn, type Visitor } from "../sign-in.ts";
import { SoftwareAuthenticator } from "./software-authenticator.ts";

export const ORIGIN = "https://continuum.example";

/** Signing in on a database of its own, seen as the API sees it, with two tenants and a clock that can be moved. */
export interface PeopleFixture {
  /** As its owner sees it: everything. */
  database: Database;
  parts: { database: Database; people: PeopleParts; nowMs(): number };
  signIn: SignIn;
  clock: { offsetMs: number };
  /** A principal as a token would say it. */
  by(id: string, options?: { tenant?: string; kind?: PrincipalKind; roles?: Role[] }): Promise<Principal>;
  handlers(tenant?: string): ReturnType<typeof peopleHandlers>;
  /** Calls one of them as a principal. */
  call<N extends keyof ReturnType<typeof peopleHandlers>>(
    name: N,
    by: Principal,
    input?: object,
  ): ReturnType<ReturnType<typeof peopleHandlers>[N]>;
  visitor(session?: string): Visitor;
  /** A person with a passkey, and the session that registering it began. */
  enrolled(id: string, options?: { tenant?: string }): Promise<{ key: SoftwareAuthenticator; signedIn: SignedIn }>;
  enrol(code: string, key: SoftwareAuthenticator): Promise<SignedIn>;
  withPasskey(key: SoftwareAuthenticator): Promise<SignedIn>;
  person(session: string): Promise<Principal | undefined>;
  close(): Promise<void>;
}

export async function peopleFixture(options: { oidc?: OidcParts } = {}): Promise<PeopleFixture> {
  const on = await createTestDatabase();
  const clock = { offsetMs: 0 };
  const people: PeopleParts = {
    relyingParty: () => ({ origin: ORIGIN, id: "continuum.example" }),
    session: { idleSeconds: 1800, absoluteSeconds: 43_200 },
    ...(options.oidc === undefined ? {} : { oidc: options.oidc }),
  };
  const parts = { database: on.openAs("api", { max: 8 }), people, nowMs: () => Date.now() + clock.offsetMs };
  const signIn = createSignIn(parts);
  const rules = { internalHosts: new Set<string>(), plainHttpHosts: new Set<string>(), ports: new Set<number>() };
  const webhooks = { notifications: webhookNotifications({ rules }), sealingKey: async () => Buffer.alloc(32, 1) };
  await on.database.transaction(async (tx) => {
    for (const tenant of ["acme", "other"]) await createTenant(tx, tenant, Date.now());
  });
  const handlers: PeopleFixture["handlers"] = (tenant = "acme") =>
    peopleHandlers({ ...parts, webhooks, database: parts.database.forTenant(tenant) });
  const by: PeopleFixture["by"] = async (id, { tenant = "acme", kind = "human", roles = ["admin"] as Role[] } = {}) => {
    await on.database.transaction((tx) => upsertPrincipal(tx, { tenant, id, kind, owner: null, roles }));
    return { tenant, id, kind, roles, tokenId: "0", expiresAtMs: parts.nowMs() + 1000 };
  };
  let addresses = 0;
  const visitor = (session?: string): Visitor => ({
    address: `192.0.2.${(addresses++ % 250) + 1}`,
    ...(session === undefined ? {} : { session }),
  });
  const fixture: PeopleFixture = {
    ...{ database: on.database, parts, signIn, clock, by, handlers, visitor },
    call: (name, principal, input = {}) => {
      const handler = handlers(principal.tenant)[name] as (call: object) => never;
      const call = {
        principal,
        actor: actorOf(principal),
        requestId: "r",
        input: { params: {}, query: {}, body: {}, ...input },
      };
      return handler(call);
    },
    enrolled: async (id, { tenant = "acme" } = {}) => {
      const admin = await by("root", { tenant });
      const body = { principal: id, roles: ["approver"] };
      const { code } = await fixture.call("people.invite", admin, { body });
      const key = new SoftwareAuthenticator(ORIGIN);
      return { key, signedIn: await fixture.enrol(code, key) };
    },
    enrol: async (code, key) => {
      const { options } = (await signIn.enrolmentOptions(visitor(), code)) as { options: RegistrationOptions };
      const registration = key.register({ challenge: options.challenge }, options.user.id);
      return signIn.enrol(visitor(), { code, registration, label: "laptop" });
    },
    withPasskey: async (key) => {
      const { challenge } = (await signIn.passkeyOptions(visitor())) as { challenge: string };
      return signIn.passkey(visitor(), key.answer({ challenge }));
    },
    person: (session) => principalOfSession(parts, session),
    close: () => on.close(),
  };
  return fixture;
}

export interface RegistrationOptions {
  challenge: string;
  user: { id: string; name: string };
  excludeCredentials: { id: string }[];
}
