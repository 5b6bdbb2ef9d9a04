import type { Context, Hono } from "hono";
import type { z } from "zod";
import { exchangeOperation } from "../../contract/workload-operations.ts";
import type { Service } from "../../service/service.ts";
import type { ClientAddresses } from "./client-address.ts";
import { HeldBytes, readInput } from "./request.ts";

/** Nobody who sends one is known yet. */
const LIMITS = { jsonBytesMax: 32 * 1024, rawBytesMax: 0, heldBytesMax: 4 * 1024 * 1024 };

/** Where a job brings its identity token; what it gets is a token like any other. */
export function exchangeRoute(
  app: Hono,
  { service, addresses }: { service: Service; addresses: ClientAddresses },
): void {
  const held = new HeldBytes(LIMITS.heldBytesMax);
  app.post(exchangeOperation.path, async (c: Context) => {
    c.set("operation", "tokens.exchange");
    const hold = held.hold();
    try {
      const { body } = await readInput(c, { ...exchangeOperation, permission: "read" }, { limits: LIMITS, hold });
      const brought = body as z.infer<typeof exchangeOperation.body>;
      return c.json(await service.workloads.exchange({ address: addresses.of(c) }, brought), exchangeOperation.status);
    } finally {
      hold.release();
    }
  });
}
