import { z } from "zod";

/** Settings of how people reach the API by a browser and who they are. */

const secretReference = z
  .string()
  .max(4096)
  .regex(/^(file:.+|env:[A-Za-z_][A-Za-z0-9_]*)$/, "must be file:PATH or env:NAME");
const url = z.url({ protocol: /^https?$/ }).max(2048);
const claim = z.string().min(1).max(256);

export const trustedProxies = z
  .string()
  .max(4096)
  .regex(
    /^([0-9A-Fa-f.:]+(\/\d{1,3})?( *, *[0-9A-Fa-f.:]+(\/\d{1,3})?)*)?$/,
    "must be addresses or networks such as 10.0.0.0/8 with commas between them",
  )
  .default("")
  .describe("Proxies in front of the API, whose X-Forwarded-For is believed; addresses or networks with commas");

export const peopleSettings = {
  publicUrl: url
    .optional()
    .describe(
      "Where browsers find the API: scheme, host and port, https:// unless the host is localhost. Passkeys are bound to its host. Left out on loopback, it is http://localhost and the port",
    ),
  relyingPartyId: z
    .string()
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/, "must be a host name in lower case")
    .max(253)
    .optional()
    .describe(
      "The domain that passkeys are bound to for good: the host of publicUrl or a domain above it; default that host",
    ),
  sessions: z
    .strictObject({
      idleMinutes: z
        .number()
        .int()
        .min(1)
        .max(1440)
        .default(30)
        .describe("Minutes without a request that end a session"),
      absoluteHours: z
        .number()
        .int()
        .min(1)
        .max(168)
        .default(12)
        .describe("Hours after which a session ends, however busy"),
    })
    .prefault({}),
  tls: z
    .strictObject({
      certificate: z
        .string()
        .min(1)
        .max(4096)
        .optional()
        .describe("File with the API's certificate and those above it, as PEM; read again when it changes"),
      key: secretReference.optional().describe("Private key of that certificate, as PEM"),
    })
    .prefault({}),
  oidc: z
    .strictObject({
      issuer: url
        .optional()
        .describe("Your identity provider, exactly as its tokens name it; people then sign in by it"),
      clientId: z.string().min(1).max(512).optional().describe("This installation's name at the provider"),
      clientSecretReference: secretReference
        .optional()
        .describe("The client's secret; left out for a public client, which PKCE protects alone"),
      algorithm: z
        .enum(["RS256", "PS256", "ES256", "EdDSA"])
        .default("RS256")
        .describe("The one algorithm that ID tokens are signed with"),
      scope: z.string().min(1).max(512).default("openid profile").describe("Scopes to ask for; openid is one of them"),
      tenant: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and -, at most 40 characters")
        .optional()
        .describe("The tenant of everybody who signs in by the provider; default tenant"),
      nameClaim: claim.default("preferred_username").describe("The claim that a person's name here is made of"),
      rolesClaim: claim.default("groups").describe("The claim whose values give roles"),
      roles: z
        .string()
        .max(4096)
        .regex(
          /^([^=,+]+=[a-z@-]+(\+[a-z@-]+)*( *, *[^=,+]+=[a-z@-]+(\+[a-z@-]+)*)*)?$/,
          "must be VALUE=role, with + between the roles of one value and commas between values",
        )
        .default("")
        .describe(
          "Roles by value of that claim, such as `ml-leads=approver+budget-owner, ml=viewer`; nothing else gives any",
        ),
    })
    .prefault({}),
};

interface Checked {
  publicUrl?: string | undefined;
  relyingPartyId?: string | undefined;
  tls: { certificate?: string | undefined; key?: string | undefined };
  oidc: { issuer?: string | undefined; clientId?: string | undefined; scope: string; roles: string };
}

/** What is wrong with these settings together: one line each. A passkey that is bound wrongly is lost, so nothing is guessed. */
export function peopleProblems(settings: Checked): string[] {
  return [...addressProblems(settings), ...tlsProblems(settings), ...oidcProblems(settings)];
}

function addressProblems({ publicUrl, relyingPartyId }: Checked): string[] {
  if (publicUrl === undefined) {
    return relyingPartyId === undefined
      ? []
      : ["bad setting relyingPartyId, publicUrl is not set, must be set with it"];
  }
  const { origin, href, hostname, protocol } = new URL(publicUrl);
  const bad = (what: string, right: string) => [`bad setting publicUrl, ${what}, must be ${right}`];
  if (href !== `${origin}/`) return bad("something stands beside scheme, host and port", origin);
  if (/^[\d.]+$|^\[/.test(hostname)) {
    return bad(
      "passkeys cannot be bound to an address",
      "a host name such as https://continuum.example or http://localhost:7400",
    );
  }
  if (protocol === "http:" && !isLocalhost(hostname))
    return bad("http:// is for localhost alone", `https://${hostname}`);
  if (relyingPartyId === undefined || relyingPartyId === hostname) return [];
  const isAbove = hostname.endsWith(`.${relyingPartyId}`) && relyingPartyId.includes(".");
  return isAbove
    ? []
    : [`bad setting relyingPartyId, browsers at ${hostname} refuse it, must be ${hostname} or a domain above it`];
}

function tlsProblems({ tls, publicUrl }: Checked): string[] {
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    return ["bad setting tls, one of certificate and key is missing, must be both or neither"];
  }
  if (tls.certificate === undefined || publicUrl?.startsWith("http://") !== true) return [];
  return ["bad setting publicUrl, the API speaks TLS by tls.certificate, must be https://"];
}

function oidcProblems({ oidc }: Checked): string[] {
  const { issuer, clientId, scope, roles } = oidc;
  if (issuer === undefined)
    return clientId === undefined ? [] : ["bad setting oidc.clientId, oidc.issuer is not set, must be set with it"];
  const { protocol, hostname } = new URL(issuer);
  const isLocal = isLocalhost(hostname) || hostname === "127.0.0.1" || hostname === "[::1]";
  return [
    ...(clientId === undefined ? ["bad setting oidc.issuer, oidc.clientId is not set, must be set with it"] : []),
    ...(protocol === "http:" && !isLocal
      ? ["bad setting oidc.issuer, http:// is for this host alone, must be https://"]
      : []),
    ...(scope.split(" ").includes("openid") ? [] : ["bad setting oidc.scope, openid is not one of them, must be"]),
    ...(roles === "" ? ["bad setting oidc.roles, nobody would have a role, must be such as `ml-leads=approver`"] : []),
  ];
}

function isLocalhost(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost");
}
