import type { FuzzTarget } from "../fuzz-target.ts";
import { api } from "./api.ts";
import { backups, commandLine } from "./command-line.ts";
import { auditCopies, bundles, junit, keyFiles } from "./documents.ts";
import { images } from "./images.ts";
import { modelBytes, modelReplicas } from "./models.ts";
import { planText, planValue } from "./plans.ts";
import { policyFiles, policyTables } from "./policies.ts";
import { requestBodies } from "./request-bodies.ts";
import { invocations } from "./serving.ts";
import { sockets } from "./sockets.ts";
import { addresses, cursors } from "./strings.ts";
import { tables } from "./tables.ts";

/** Everything that is fuzzed. Shares are thousandths of a run's inputs and add up to a thousand. */
export const TARGETS: readonly FuzzTarget[] = [
  ...[planText, planValue, policyFiles, policyTables, bundles, junit, keyFiles, auditCopies],
  ...[modelBytes, modelReplicas, requestBodies, addresses, images, cursors, tables],
  ...[commandLine, backups, invocations, api, sockets],
];
