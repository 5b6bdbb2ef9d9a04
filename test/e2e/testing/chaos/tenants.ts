import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SigningKey } from "../../../../src/core/evidence/signing-key.ts";
import { bootstrap } from "../../../../src/service/bootstrap.ts";
import { brokenModel } from "../../../../src/serving/testing/test-models.ts";
import { type Database, openDatabase } from "../../../../src/store/database.ts";
import { type ApiClient, createApiClient } from "../../../../src/surfaces/cli/client.ts";
import type { Continuum } from "../continuum.ts";
import { importModel, trustedKey } from "../deployables.ts";

/** One tenant with everybody who takes part. */
export interface Tenant {
  name: string;
  admin: ApiClient;
  /** Two programs that propose the same plans at the same time. */
  agents: [ApiClient, ApiClient];
  approver: ApiClient;
  invokeToken: string;
  /** Digests of imported models that are good, and of one that fails on every other row. */
  good: string[];
  broken: string;
}

const SECOND = "second";
const GOOD_MODELS = 4;

/** The installation's own database, as its administrator would open it. */
export function openOwnDatabase({ started }: Continuum): Promise<Database> {
  const [clusterDir = ""] = started.outside;
  const read = (file: string) => readFileSync(join(clusterDir, file), "utf8").trim();
  const url = `postgres://continuum:${read("password")}@127.0.0.1:${read("port")}/continuum`;
  return openDatabase(url, { max: 2, applicationName: "chaos" });
}

/** The installation's first tenant and a second one. */
export async function makeTenants(on: Continuum, database: Database): Promise<Tenant[]> {
  const made = await bootstrap({ database, nowMs: Date.now }, { tenant: SECOND });
  if (made === undefined) throw new Error("the second tenant was there already");
  const second = createApiClient({ url: on.url, token: made.token });
  return [await peopled("default", on.admin), await peopled(SECOND, second)];
}

async function peopled(name: string, admin: ApiClient): Promise<Tenant> {
  const as = async (body: Parameters<typeof tokenOf>[1]) =>
    createApiClient({ url: admin.url, token: await tokenOf(admin, body), requestMsMax: 10_000 });
  const proposer = { kind: "agent", owner: "admin", roles: ["proposer", "operator"] } as const;
  const key: SigningKey = await trustedKey(admin);
  const good: string[] = [];
  for (let bias = 1; bias <= GOOD_MODELS; bias += 1) good.push(await importModel(admin, { bias }, key));
  return {
    ...{ name, admin, good },
    broken: await importModel(admin, { bytes: brokenModel() }, key),
    agents: [
      await as({ principal: "release-agent", ...proposer, roles: [...proposer.roles] }),
      await as({ principal: "other-agent", ...proposer, roles: [...proposer.roles] }),
    ],
    approver: await as({ principal: "bob", kind: "human", roles: ["approver"] }),
    invokeToken: await tokenOf(admin, { principal: "traffic", kind: "service", roles: ["invoker"] }),
  };
}

async function tokenOf(
  admin: ApiClient,
  body: {
    principal: string;
    kind: "human" | "agent" | "service";
    owner?: string;
    roles: ("proposer" | "operator" | "approver" | "invoker")[];
  },
): Promise<string> {
  return (await admin.call("tokens.create", { body })).secret;
}
