import type { OperationOutput } from "../../../contract/operations.ts";
import { WORKLOAD_ROLES } from "../../../contract/workload-operations.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { durationSeconds } from "../duration.ts";
import { listPages } from "../list-pages.ts";
import type { Column } from "../text-table.ts";

type Workload = OperationOutput<"workloads.list">["items"][number];

export async function workloadTrust(context: CommandContext): Promise<number> {
  const named = (option: string, claim: string) => {
    const value = context.text(option);
    return value === undefined ? {} : { [claim]: value };
  };
  if (context.text("ref") === undefined && context.text("environment") === undefined)
    throw malformed("neither a branch nor an environment", "--ref", "must be given, or --environment");
  const expires = context.text("expires");
  const roles = context.list("role").map(roleOf);
  const client = await context.client();
  const workload = await client.call("workloads.create", {
    body: {
      principal: context.argument(0),
      claims: {
        repository: context.text("repository") ?? "",
        job_workflow_ref: context.text("workflow") ?? "",
        ...named("ref", "ref"),
        ...named("environment", "environment"),
        ...named("repository-id", "repository_id"),
      },
      ...(roles.length === 0 ? {} : { roles }),
      ...(expires === undefined ? {} : { tokenSeconds: durationSeconds(expires, "--expires") }),
    },
  });
  await context.show(
    workload,
    () => `jobs of ${workload.claims.repository} are trusted as ${workload.principal}: ${workload.id}\n`,
  );
  return 0;
}

function roleOf(text: string): (typeof WORKLOAD_ROLES)[number] {
  const role = WORKLOAD_ROLES.find((known) => known === text);
  if (role !== undefined) return role;
  throw malformed(
    `unknown role ${JSON.stringify(text.slice(0, 40))} of a pipeline`,
    "--role",
    `must be one of ${WORKLOAD_ROLES.join(", ")}`,
  );
}

export async function workloadList(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("workloads.list", { query: part }));
  const columns: Column<Workload>[] = [
    { heading: "ID", value: ({ id }) => id },
    { heading: "PRINCIPAL", value: ({ principal }) => principal },
    { heading: "REPOSITORY", value: ({ claims }) => claims.repository },
    { heading: "REF", value: ({ claims }) => claims.ref ?? null },
    { heading: "ENVIRONMENT", value: ({ claims }) => claims.environment ?? null },
    { heading: "ROLES", value: ({ roles }) => roles.join(", ") },
  ];
  await context.showPage(page, columns, "no pipeline is trusted");
  return 0;
}

export async function workloadRemove(context: CommandContext): Promise<number> {
  const client = await context.client();
  const workload = await client.call("workloads.delete", { params: { id: context.argument(0) } });
  await context.show(workload, () => `${workload.id} is trusted no more\n`);
  return 0;
}
