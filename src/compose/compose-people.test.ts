import { expect, test } from "vitest";
import { checkConfig } from "../config/load.ts";
import { composePeople } from "./compose-people.ts";

function peopleOf(variables: Record<string, string>, boundUrl?: string) {
  const environment = { variables, homeDir: "/home/x", hostName: "here", workingDir: "/nowhere" };
  const checked = checkConfig({ environment } as never);
  if (!checked.ok) throw new Error(checked.problems.join("; "));
  return composePeople(checked.value.config, () => boundUrl);
}

test("passkeys are bound to what is set, or to localhost where the API listens for its own host alone", () => {
  expect(peopleOf({ CONTINUUM_PUBLIC_URL: "https://ml.acme.example/" }).relyingParty()).toEqual({
    ...{ origin: "https://ml.acme.example", id: "ml.acme.example" },
  });
  const above = { CONTINUUM_PUBLIC_URL: "https://ml.acme.example", CONTINUUM_RELYING_PARTY_ID: "acme.example" };
  expect(peopleOf(above).relyingParty()).toMatchObject({ id: "acme.example" });
  expect(peopleOf({}, "http://127.0.0.1:7400").relyingParty()).toEqual({
    origin: "http://localhost:7400",
    id: "localhost",
  });
  expect(peopleOf({}, "https://[::1]:7400").relyingParty()).toEqual({
    origin: "https://localhost:7400",
    id: "localhost",
  });
  expect(peopleOf({}, "http://0.0.0.0:7400").relyingParty()).toBeUndefined();
  expect(peopleOf({}).relyingParty()).toBeUndefined();
});

test("an identity provider's groups give the roles that are there, and a misspelt one ends the start", () => {
  const provider = { CONTINUUM_OIDC_ISSUER: "https://id.example", CONTINUUM_OIDC_CLIENT_ID: "continuum" };
  const { oidc } = peopleOf({
    ...provider,
    CONTINUUM_OIDC_ROLES: "ML leads=approver@production+budget-owner, ml=viewer",
  });
  expect(oidc).toMatchObject({ tenant: "default", algorithm: "RS256" });
  expect([...(oidc?.roles ?? [])]).toEqual([
    ["ML leads", ["approver@production", "budget-owner"]],
    ["ml", ["viewer"]],
  ]);
  expect(() => peopleOf({ ...provider, CONTINUUM_OIDC_ROLES: "ml=aprover" })).toThrow(/no role "aprover"/);
});
