import type { OperationOutput } from "../contract/operations.ts";
import { assert } from "../core/error.ts";
import { readTrustedRoot } from "../core/evidence/trusted-root.ts";
import { canonicalJson, sha256Digest } from "../core/plan/canonical.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { maxAgeSecondsOf } from "../engine/trust.ts";
import {
  lockTrustSettings,
  readTrustSettings,
  type TrustSettingsRow,
  type TrustSettingsView,
  writeTrustSettings,
} from "../store/queries/trust.ts";
import { changeTrust } from "./change-trust.ts";
import type { Call, Handlers, ServiceParts } from "./handler.ts";
import { refuse } from "./refusal.ts";
import { optionalTime } from "./rollout-view.ts";

type Name = "trust.show" | "trust.update" | "trust.pin" | "trust.unpin";
type TrustView = OperationOutput<"trust.show">;

/** What a tenant's trust rests on beside its signers: builders, limits of age, and the root for identities. */
export function trustHandlers(parts: ServiceParts): Handlers<Name> {
  return {
    "trust.show": async ({ principal }) => view(await readTrustSettings(parts.database, principal.tenant)),

    "trust.update": (call) => {
      const { builders, maxAgeSeconds } = call.input.body;
      return change(parts, call, "trust.update", (now) => ({
        ...now,
        builders: builders === undefined ? now.builders : [...new Set(builders)].sort(),
        maxAgeSeconds: { ...now.maxAgeSeconds, ...maxAgeSeconds },
      }));
    },

    "trust.pin": async (call) => {
      const trustedRoot = JSON.stringify(call.input.body.trustedRoot);
      const problem = await parts.signatures.live.rootProblem(trustedRoot);
      if (problem !== null) refuse("malformed-request", `This is refused: ${problem}.`, { pointer: "/trustedRoot" });
      return change(parts, call, "trust.pin", (now) => ({ ...now, trustedRoot }));
    },

    "trust.unpin": (call) => change(parts, call, "trust.unpin", (now) => ({ ...now, trustedRoot: null })),
  };
}

/** Every piece of evidence may hang on these, so every rollout that waits for approval is looked at. */
async function change(
  parts: ServiceParts,
  { principal, actor, requestId }: Call<Name>,
  action: Exclude<Name, "trust.show">,
  changed: (now: TrustSettingsRow) => TrustSettingsRow,
): Promise<TrustView> {
  const { tenant } = principal;
  const atMs = parts.nowMs();
  const about = { tenant, actor, cause: `${action}/${requestId}`, subjects: async () => null };
  return changeTrust(parts, about, async (tx) => {
    const now = await lockTrustSettings(tx, { tenant, principal: principal.id, atMs });
    const { builders, maxAgeSeconds, trustedRoot } = changed(now);
    const settings = { builders, maxAgeSeconds, trustedRoot };
    await writeTrustSettings(tx, { tenant, ...settings, updatedBy: principal.id, updatedAtMs: atMs });
    const details = { detailsDigest: sha256Digest(canonicalJson(settings)) };
    await appendAudit(tx, { tenant, atMs, actor, action, subject: "trust:settings", outcome: "accepted", details });
    return view({ ...settings, updatedBy: principal.id, updatedAt: new Date(atMs) });
  });
}

function view(settings: TrustSettingsView): TrustView {
  const { builders, maxAgeSeconds, trustedRoot, updatedBy, updatedAt } = settings;
  return {
    builders,
    maxAgeSeconds: maxAgeSecondsOf(maxAgeSeconds),
    trustedRoot: trustedRoot === null ? null : rootView(trustedRoot),
    updatedBy,
    updatedAt: optionalTime(updatedAt?.getTime() ?? null),
  };
}

function rootView(trustedRoot: string): NonNullable<TrustView["trustedRoot"]> {
  const root = readTrustedRoot(trustedRoot);
  assert(root.ok, "a root that was pinned can be read");
  return { digest: sha256Digest(trustedRoot), ...root.value.counts };
}
