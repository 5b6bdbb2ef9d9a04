import type { Plan } from "../../../core/plan/schema.ts";
import type { ControlAnswer, ControlEffect, InvokeCredential, ServedAt } from "../../../serving/protocol.ts";
import type { Effect, EndpointStatus, Guard, Observation, Target, TenantEndpoint, VersionSpec } from "../target.ts";
import { ControlClient, targetError } from "./control-client.ts";

/** Models in processes of this host, behind the serving process that listens on `controlSocket`. */
export class LocalTarget implements Target {
  readonly name = "local";
  readonly simulated = false;
  readonly #client: ControlClient;

  constructor(options: { controlSocket: string }) {
    this.#client = new ControlClient(options);
  }

  capacity(plan: Plan): Promise<{ ok: true } | { ok: false; code: "host-memory"; reason: string }> {
    const { instanceType, instanceCount } = plan.spec.compute;
    return this.#client.call("capacity", { instanceType, instanceCount });
  }

  async snapshot(at: TenantEndpoint): Promise<{ bytes: Uint8Array; empty: boolean }> {
    const { snapshot, empty } = await this.#client.call("snapshot", servedAt(at));
    return { bytes: Buffer.from(snapshot, "utf8"), empty };
  }

  async provision(effect: Effect, candidate: VersionSpec): Promise<void> {
    await this.#client.call("provision", { effect: controlEffect(effect), candidate: { ...candidate } });
  }

  async shift(effect: Effect, shift: { percent: number; guard: Guard }): Promise<void> {
    await this.#client.call("shift", {
      effect: controlEffect(effect),
      percent: shift.percent,
      guard: { ...shift.guard },
    });
  }

  observe(at: TenantEndpoint): Promise<Observation> {
    return this.#client.call("observe", servedAt(at));
  }

  async promote(effect: Effect): Promise<void> {
    await this.#client.call("promote", { effect: controlEffect(effect) });
  }

  async rollback(effect: Effect, snapshot: Uint8Array): Promise<void> {
    const text = Buffer.from(snapshot).toString("utf8");
    await this.#client.call("rollback", { effect: controlEffect(effect), snapshot: text });
  }

  async scale(effect: Effect, instanceCount: number): Promise<void> {
    await this.#client.call("scale", { effect: controlEffect(effect), instanceCount });
  }

  async remove(effect: Effect): Promise<void> {
    await this.#client.call("remove", { effect: controlEffect(effect) });
  }

  async describe(at: TenantEndpoint): Promise<EndpointStatus | undefined> {
    const { endpoint } = await this.#client.call("describe", servedAt(at));
    return endpoint === null ? undefined : { ...endpoint, simulated: false };
  }

  /**
   * Who may invoke, as a whole table: what is not in it may not. `revision` rises with every change; an older one than
   * the newest seen changes nothing. Tokens travel as their SHA-256 only.
   */
  async pushCredentials(table: { revision: number; credentials: readonly InvokeCredential[] }): Promise<void> {
    await this.#client.call("credentials", { revision: table.revision, credentials: [...table.credentials] });
  }

  /** What runs there; a `bootId` other than before says that the serving process was restarted. */
  status(): Promise<ControlAnswer<"status">> {
    return this.#client.call("status", {});
  }
}

function servedAt({ tenant, endpoint }: TenantEndpoint): ServedAt {
  if (endpoint.target !== "local")
    throw targetError("not-available", `this is the local target, not ${endpoint.target}`);
  return { tenant, environment: endpoint.environment, name: endpoint.name };
}

function controlEffect(effect: Effect): ControlEffect {
  return { ...servedAt(effect), generation: effect.generation, idempotencyKey: effect.idempotencyKey };
}
