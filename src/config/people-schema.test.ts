import { describe, expect, test } from "vitest";
import { checkConfig } from "./load.ts";

function problemsOf(variables: Record<string, string>): readonly string[] {
  const environment = { variables, homeDir: "/home/x", hostName: "here", workingDir: "/nowhere" };
  const checked = checkConfig({ environment } as never);
  return checked.ok ? [] : checked.problems;
}

describe("where browsers find the API", () => {
  test.each([
    ["https://continuum.example", undefined],
    ["https://continuum.example:8443", "continuum.example"],
    ["https://ml.continuum.example", "continuum.example"],
    ["http://localhost:7400", undefined],
    ["http://acme.localhost:7400", "acme.localhost"],
  ])("%s with %s is taken", (publicUrl, id) => {
    expect(
      problemsOf({ CONTINUUM_PUBLIC_URL: publicUrl, ...(id === undefined ? {} : { CONTINUUM_RELYING_PARTY_ID: id }) }),
    ).toEqual([]);
  });

  test.each([
    ["https://continuum.example/ui", undefined, /must be https:\/\/continuum\.example$/],
    ["https://user:pw@continuum.example", undefined, /something stands beside/],
    ["http://continuum.example", undefined, /http:\/\/ is for localhost alone/],
    ["https://192.0.2.7", undefined, /cannot be bound to an address/],
    ["https://[::1]:7400", undefined, /cannot be bound to an address/],
    ["https://continuum.example", "example.org", /browsers at continuum\.example refuse it/],
    ["https://continuum.example", "ontinuum.example", /refuse it/],
    ["https://continuum.example", "example", /refuse it/],
    ["https://example", "ml.example", /refuse it/],
  ])("%s with %s is refused", (publicUrl, id, what) => {
    const [problem, ...more] = problemsOf({
      CONTINUUM_PUBLIC_URL: publicUrl,
      ...(id === undefined ? {} : { CONTINUUM_RELYING_PARTY_ID: id }),
    });
    expect(problem).toMatch(what);
    expect(more).toEqual([]);
  });

  test("a relying party without an address, half of a certificate, or plain HTTP with one are refused", () => {
    expect(problemsOf({ CONTINUUM_RELYING_PARTY_ID: "x.example" })[0]).toMatch(/publicUrl is not set/);
    expect(problemsOf({ CONTINUUM_TLS_CERTIFICATE: "/x.pem" })[0]).toMatch(/must be both or neither/);
    const both = { CONTINUUM_TLS_CERTIFICATE: "/x.pem", CONTINUUM_TLS_KEY: "file:/x.key" };
    expect(problemsOf({ ...both, CONTINUUM_PUBLIC_URL: "http://localhost:7400" })[0]).toMatch(/must be https/);
    expect(problemsOf(both)).toEqual([]);
  });
});

describe("an identity provider", () => {
  const good = {
    CONTINUUM_OIDC_ISSUER: "https://id.example",
    CONTINUUM_OIDC_CLIENT_ID: "continuum",
    CONTINUUM_OIDC_ROLES: "ML leads=approver+budget-owner, ml=viewer",
  };
  test("is taken whole", () => expect(problemsOf(good)).toEqual([]));
  test.each([
    [{ CONTINUUM_OIDC_CLIENT_ID: "" }, /clientId is not set/],
    [{ CONTINUUM_OIDC_ISSUER: "http://id.example" }, /must be https/],
    [{ CONTINUUM_OIDC_SCOPE: "profile" }, /openid is not one of them/],
    [{ CONTINUUM_OIDC_ROLES: "" }, /nobody would have a role/],
    [{ CONTINUUM_OIDC_ROLES: "leads:approver" }, /oidc\.roles.*must be VALUE=role/],
    [{ CONTINUUM_OIDC_ALGORITHM: "none" }, /oidc\.algorithm/],
  ])("with %o is refused", (wrong, what) => expect(problemsOf({ ...good, ...wrong })[0]).toMatch(what));
});

test("proxies are addresses or networks", () => {
  expect(problemsOf({ CONTINUUM_API_TRUSTED_PROXIES: "10.0.0.0/8, ::1" })).toEqual([]);
  expect(problemsOf({ CONTINUUM_API_TRUSTED_PROXIES: "proxy.example" })[0]).toMatch(/networks such as/);
});
