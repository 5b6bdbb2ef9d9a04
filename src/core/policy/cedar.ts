import { createRequire } from "node:module";
import type * as Cedar from "@cedar-policy/cedar-wasm/nodejs";

export type { AuthorizationAnswer, PolicyJson } from "@cedar-policy/cedar-wasm/nodejs";

/**
 * Cedar, loaded at the first question. A process that has nothing to decide (a worker at rest, a command that asks the
 * server) is spared its 20 MiB and the time that compiling it takes.
 */
export const cedar: Pick<
  typeof Cedar,
  "policySetTextToParts" | "policyToJson" | "preparsePolicySet" | "statefulIsAuthorized" | "validate"
> = {
  policySetTextToParts: (text) => binding().policySetTextToParts(text),
  policyToJson: (policy) => binding().policyToJson(policy),
  preparsePolicySet: (name, set) => binding().preparsePolicySet(name, set),
  statefulIsAuthorized: (call) => binding().statefulIsAuthorized(call),
  validate: (call) => binding().validate(call),
};

let loaded: typeof Cedar | undefined;

/** The package is CommonJS, so that a synchronous caller can load it when it comes to that. */
function binding(): typeof Cedar {
  loaded ??= createRequire(import.meta.url)("@cedar-policy/cedar-wasm/nodejs") as typeof Cedar;
  return loaded;
}
