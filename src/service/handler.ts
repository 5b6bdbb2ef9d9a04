import type { OperationInput, OperationName } from "../contract/operations.ts";
import type { NotaryParts } from "../engine/audit-parts.ts";
import type { Actor, EngineParts } from "../engine/engine.ts";
import type { TellingParts } from "../engine/webhook-parts.ts";
import type { GroundTruthParts } from "./ground-truth-parts.ts";
import type { PeopleParts } from "./people-parts.ts";
import type { PolicyBundleParts } from "./policy-bundle-parts.ts";
import type { Principal } from "./principal.ts";
import type { ServiceAnswer } from "./service.ts";
import type { Tenancy } from "./tenancy.ts";
import type { WorkloadIssuer } from "./workload-parts.ts";

/** What the use cases work with. */
export type ServiceParts = EngineParts &
  TellingParts &
  NotaryParts & {
    bundles: PolicyBundleParts;
    people?: PeopleParts;
    groundTruth?: GroundTruthParts;
    tenancy?: Tenancy;
    workloadIssuer?: WorkloadIssuer;
  };

/** One request, after its principal's permission was checked. */
export interface Call<N extends OperationName> {
  principal: Principal;
  /** The principal, as the engine and the audit log know it. */
  actor: Actor;
  input: OperationInput<N>;
  requestId: string;
  signal?: AbortSignal;
}

export type Handler<N extends OperationName> = (call: Call<N>) => Promise<ServiceAnswer<N>>;

/** The handlers of some operations; together they must cover every one, which the compiler holds. */
export type Handlers<N extends OperationName> = { [Name in N]: Handler<Name> };
