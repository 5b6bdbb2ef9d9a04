import { describe, expect, test } from "vitest";
import { parseImageReference, serverOf } from "./image-reference.ts";

const DIGEST = `sha256:${"4f".repeat(32)}`;

describe("the name of an image", () => {
  test.each([
    ["ghcr.io/team/churn", "ghcr.io", "team/churn"],
    ["GHCR.io/team/churn", "ghcr.io", "team/churn"],
    ["localhost/churn", "localhost", "churn"],
    ["localhost:5000/churn", "localhost:5000", "churn"],
    ["127.0.0.1:5000/a/b/c__d/e-f.g", "127.0.0.1:5000", "a/b/c__d/e-f.g"],
    ["[::1]:5000/churn", "[::1]:5000", "churn"],
    ["docker.io/nginx", "docker.io", "library/nginx"],
    ["docker.io/team/churn", "docker.io", "team/churn"],
  ])("%s is read", (name, registry, repository) => {
    expect(parseImageReference(`${name}@${DIGEST}`)).toEqual({
      ok: true,
      value: { registry, repository, digest: DIGEST },
    });
  });

  test.each([
    ["without a registry", `team/churn@${DIGEST}`, "must begin with the registry"],
    ["with one word", `churn@${DIGEST}`, "must begin with the registry"],
    ["with a user", `user:word@ghcr.io/churn@${DIGEST}`, "must begin with the registry"],
    ["with a scheme", `https://ghcr.io/churn@${DIGEST}`, "must begin with the registry"],
    ["with a path in its host", `ghcr.io?x/churn@${DIGEST}`, "must begin with the registry"],
    ["with a tag", `ghcr.io/churn:v1@${DIGEST}`, "without a tag"],
    ["that climbs", `ghcr.io/../churn@${DIGEST}`, "must name a repository"],
    ["with a query", `ghcr.io/churn?x=1@${DIGEST}`, "must name a repository"],
    ["with an escape", `ghcr.io/ch%2furn@${DIGEST}`, "must name a repository"],
    ["with no end of text", `ghcr.io/${"a/".repeat(200)}a@${DIGEST}`, "must name a repository"],
    ["with a short digest", "ghcr.io/churn@sha256:4f", "64 hexadecimal digits"],
    ["with another algorithm", `ghcr.io/churn@sha512:${"4f".repeat(64)}`, "64 hexadecimal digits"],
    ["with two digests", `ghcr.io/churn@${DIGEST}@${DIGEST}`, "64 hexadecimal digits"],
  ])("%s is refused", (_what, name, message) => {
    expect(parseImageReference(name)).toMatchObject({
      ok: false,
      problem: { message: expect.stringContaining(message) },
    });
  });

  test("of Docker Hub leads to the host that answers for it", () => {
    expect(serverOf("docker.io")).toBe("registry-1.docker.io");
    expect(serverOf("ghcr.io")).toBe("ghcr.io");
  });
});
