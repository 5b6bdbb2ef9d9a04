import type { Config } from "../config/schema.ts";
import { GRANTABLE_ROLES, type GrantableRole, ROLES } from "../contract/operation.ts";
import { ContinuumError } from "../core/error.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import type { OidcParts, PeopleParts, RelyingParty } from "../service/people-parts.ts";

type PeopleConfig = Pick<Config, "api" | "oidc" | "publicUrl" | "relyingPartyId" | "sessions" | "tenant">;

/** How people come in. `boundUrl` is where the API listens, once it does. */
export function composePeople(config: PeopleConfig, boundUrl: () => string | undefined): PeopleParts {
  const oidc = oidcOf(config);
  return {
    relyingParty: () => relyingPartyOf(config, boundUrl()),
    session: {
      idleSeconds: config.sessions.idleMinutes * 60,
      absoluteSeconds: config.sessions.absoluteHours * 3600,
    },
    ...(oidc === undefined ? {} : { oidc }),
  };
}

/**
 * As it is set. Without a setting nothing is guessed but the one case in which there is nothing to guess: an API that
 * listens for its own host alone is found there by the name localhost, which browsers take from nobody.
 */
function relyingPartyOf(config: PeopleConfig, boundUrl: string | undefined): RelyingParty | undefined {
  const { publicUrl, relyingPartyId } = config;
  if (publicUrl !== undefined) {
    const { origin, hostname } = new URL(publicUrl);
    return { origin, id: relyingPartyId ?? hostname };
  }
  const bound = boundUrl === undefined ? undefined : new URL(boundUrl);
  if (bound === undefined || !/^127\.|^\[::1\]$|^localhost$/.test(bound.hostname)) return undefined;
  return { origin: `${bound.protocol}//localhost:${bound.port}`, id: "localhost" };
}

function oidcOf({ oidc, tenant }: PeopleConfig): OidcParts | undefined {
  const { issuer, clientId, clientSecretReference: reference } = oidc;
  if (issuer === undefined || clientId === undefined) return undefined;
  const secrets = localSecrets({ environment: process.env });
  return {
    ...{ issuer, clientId, algorithm: oidc.algorithm, scope: oidc.scope, tenant: oidc.tenant ?? tenant },
    ...{ nameClaim: oidc.nameClaim, rolesClaim: oidc.rolesClaim, roles: rolesByValue(oidc.roles) },
    clientSecret: async () =>
      reference === undefined
        ? undefined
        : Buffer.from(await secrets.read(reference))
            .toString("utf8")
            .trim(),
  };
}

/** `VALUE=role+role, VALUE=role`, whose form the settings have checked. */
function rolesByValue(text: string): ReadonlyMap<string, readonly GrantableRole[]> {
  const pairs = text.split(",").map((pair) => pair.split("="));
  return new Map(pairs.map(([value = "", roles = ""]) => [value.trim(), roles.trim().split("+").map(knownRole)]));
}

function knownRole(name: string): GrantableRole {
  const role = GRANTABLE_ROLES.find((one) => one === name);
  if (role !== undefined) return role;
  throw new ContinuumError(
    "unknown-role",
    `bad setting oidc.roles, there is no role ${JSON.stringify(name)}, must be one of ${ROLES.join(", ")}, or one in an environment, such as approver@production`,
  );
}
