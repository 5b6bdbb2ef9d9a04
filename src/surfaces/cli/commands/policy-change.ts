import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { OperationOutput } from "../../../contract/operations.ts";
import { policyDigestedBytes } from "../../../core/policy/load-policy-set.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { pathOf, writeNewFile } from "../files.ts";
import { listPages } from "../list-pages.ts";
import { ownFiles } from "../offline-policy.ts";
import { policyDiffText } from "../policy-diff-text.ts";
import { type Column, textRecord, textTable } from "../text-table.ts";

type Version = OperationOutput<"policy.withdraw">;
type Activation = OperationOutput<"policy.show">["activations"][number];

/** Asks for a version to come into force, and shows what it would change. Another person activates it. */
export async function policyPropose(context: CommandContext): Promise<number> {
  const folder = context.args[0];
  const digest = context.text("digest");
  const program = context.flag("program");
  if ([folder !== undefined, digest !== undefined, program].filter(Boolean).length !== 1)
    throw malformed("what is proposed", "policy propose", "must be one of: a folder, --program, --digest DIGEST");
  const text = context.text("comment");
  const comment = text === undefined ? {} : { comment: text };
  const client = await context.client();
  const body =
    folder !== undefined
      ? { files: ownFiles(context, folder, "the folder"), ...comment }
      : digest !== undefined
        ? { digest, ...comment }
        : { program: true as const, ...comment };
  const { version, diff } = await client.call("policy.propose", { body });
  await context.show({ version, diff }, () => {
    const next = `another person, when it is right: continuum policy activate ${version.digest} --key FILE`;
    return `proposed ${version.digest}\n\n${policyDiffText(diff)}\n${next}\n`;
  });
  return 0;
}

export async function policyWithdraw(context: CommandContext): Promise<number> {
  const client = await context.client();
  const version = await client.call("policy.withdraw", { params: { digest: context.argument(0) } });
  await context.show(version, () => `withdrawn ${version.digest}\n`);
  return 0;
}

export async function policyVersions(context: CommandContext): Promise<number> {
  const client = await context.client();
  const page = await listPages(context, (part) => client.call("policy.versions", { query: part }));
  const columns: Column<Version>[] = [
    { heading: "DIGEST", value: ({ digest }) => digest },
    { heading: "STATE", value: ({ state }) => state },
    { heading: "PROPOSED BY", value: ({ proposal }) => proposal?.by ?? null },
    { heading: "PROPOSED", value: ({ proposal }) => proposal?.at ?? null },
    { heading: "ACTIVATED", value: ({ activatedAt }) => activatedAt },
  ];
  await context.showPage(page, columns, "no versions");
  return 0;
}

/** One version: what it is, what it would change, and on demand its files in a folder. */
export async function policyShow(context: CommandContext): Promise<number> {
  const client = await context.client();
  const params = { digest: context.argument(0) };
  const detail = await client.call("policy.show", { params });
  const folder = context.text("write");
  if (folder !== undefined) await writeFiles(context, folder, detail.files);
  const subject = context.text("subject");
  if (subject !== undefined) {
    const text = policyDigestedBytes(detail.files).toString("utf8");
    await writeNewFile(context, { file: subject, text, where: "--subject" });
  }
  const diff = detail.version.state === "active" ? undefined : await client.call("policy.diff", { params });
  await context.show({ ...detail, ...(diff === undefined ? {} : { diff }) }, () =>
    [
      versionText(detail.version),
      textTable(detail.activations, ACTIVATIONS, "it was never in force"),
      ...(diff === undefined ? [] : ["Against the policy in force:\n", policyDiffText(diff)]),
      `${detail.files.length} files; --write FOLDER writes them\n`,
    ].join("\n"),
  );
  if (folder !== undefined) context.note(`wrote ${detail.files.length} files below ${folder}`);
  return 0;
}

const ACTIVATIONS: readonly Column<Activation>[] = [
  { heading: "ACTIVATED", value: ({ at }) => at },
  { heading: "BY", value: ({ by }) => by },
  { heading: "PROPOSED BY", value: ({ proposedBy }) => proposedBy },
  { heading: "IN PLACE OF", value: ({ replaced }) => replaced },
];

export function versionText({ digest, state, baseDigest, createdAt, proposal, activatedAt }: Version): string {
  return textRecord({
    policy: digest,
    state,
    "stands on": baseDigest,
    stored: createdAt,
    "proposed by": proposal === null ? undefined : `${proposal.by} at ${proposal.at}`,
    comment: proposal?.comment ?? undefined,
    activated: activatedAt ?? undefined,
  });
}

/** Into a folder that is new or empty. The names come from a server: none leads out of it. */
async function writeFiles(
  context: CommandContext,
  folder: string,
  files: readonly { path: string; text: string }[],
): Promise<void> {
  const root = pathOf(context, folder);
  await mkdir(root, { recursive: true });
  if ((await readdir(root)).length > 0)
    throw malformed(
      "a folder that holds something",
      `--write ${folder}`,
      "must be new or empty: nothing is overwritten",
    );
  for (const { path, text } of files) {
    if (path.startsWith("/") || normalize(path) !== path || path.split("/").includes(".."))
      throw malformed("a file's name that leads out of the folder", path, "must be below it");
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { flag: "wx" });
  }
}
