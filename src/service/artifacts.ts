import { z } from "zod";
import type { OperationOutput } from "../contract/operations.ts";
import { ContinuumError } from "../core/error.ts";
import type { ArtifactInfo } from "../drivers/artifacts/artifacts.ts";
import { appendAudit } from "../engine/audit-log.ts";
import { isTold } from "../store/queries/audit.ts";
import { decodeCursor, PAGE_LIMIT, toPage } from "./cursor.ts";
import type { Handlers, ServiceParts } from "./handler.ts";
import { refuse } from "./refusal.ts";
import { timeOf } from "./rollout-view.ts";

const afterShape = z.tuple([z.string()]);

export function artifactHandlers(parts: ServiceParts): Handlers<"artifacts.list" | "artifacts.put"> {
  return {
    "artifacts.list": async ({ principal, input }) => {
      const limit = input.query.limit ?? PAGE_LIMIT;
      const after = decodeCursor("artifacts.list", input.query.cursor, afterShape)?.[0] ?? "";
      const all = await parts.artifacts.list(principal.tenant);
      const rows = all.filter(({ digest }) => digest > after).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      return toPage(rows.slice(0, limit + 1), {
        list: "artifacts.list",
        limit,
        keyOf: ({ digest }) => [digest],
        view,
      });
    },

    "artifacts.put": async ({ principal, actor, input }) => {
      const { tenant } = principal;
      const info = await store(parts, { tenant, bytes: input.body, digest: input.params.digest });
      // Importing the same bytes again changes nothing, so nothing is told; but the store may have taken them when the
      // database could not be reached, and then it is told now.
      const { digest, sizeBytes, encrypted } = info;
      const action = "artifact.import";
      if (!(await isTold(parts.database, { tenant, subject: digest, action }))) {
        const details = { artifactDigest: digest, sizeBytes, encrypted };
        const at = { tenant, atMs: parts.nowMs(), actor };
        await parts.database.transaction((tx) =>
          appendAudit(tx, {
            ...at,
            action,
            subject: `artifact:${digest}`,
            outcome: "accepted",
            details,
          }),
        );
      }
      return view(info);
    },
  };
}

async function store(
  parts: ServiceParts,
  artifact: { tenant: string; bytes: Uint8Array; digest: string },
): Promise<ArtifactInfo> {
  try {
    return await parts.artifacts.put(artifact.tenant, artifact.bytes, artifact.digest);
  } catch (error) {
    if (!(error instanceof ContinuumError)) throw error;
    if (error.code === "too-large") refuse("too-large", error.message);
    if (error.code === "digest-mismatch") {
      refuse("digest-mismatch", `The bytes that came do not have the SHA-256 ${artifact.digest}.`);
    }
    throw error;
  }
}

function view(info: ArtifactInfo): OperationOutput<"artifacts.put"> {
  const { digest, sizeBytes, encrypted, createdAtMs } = info;
  return { digest, sizeBytes, encrypted, createdAt: timeOf(createdAtMs) };
}
