import type { OperationOutput } from "../../../contract/operations.ts";
import { SIGNED_KINDS } from "../../../contract/trust-views.ts";
import { parseJsonStrict } from "../../../core/plan/parse.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { durationSeconds } from "../duration.ts";
import { readTextInput } from "../files.ts";
import { textRecord } from "../text-table.ts";

type Trust = OperationOutput<"trust.show">;

const ROOT_BYTES_MAX = 1024 * 1024;

export async function trustShow(context: CommandContext): Promise<number> {
  const client = await context.client();
  return give(context, await client.call("trust.show", {}));
}

/** What is not named stays as it is. */
export async function trustUpdate(context: CommandContext): Promise<number> {
  const builders = context.list("builder");
  const isCleared = context.flag("clearBuilders");
  if (isCleared && builders.length > 0)
    throw malformed("builders and none", "--builder or --clear-builders", "must be one of them");
  const maxAgeSeconds = Object.fromEntries(context.list("maxAge").map(ageOf));
  const body = {
    ...(isCleared || builders.length > 0 ? { builders } : {}),
    ...(context.list("maxAge").length > 0 ? { maxAgeSeconds } : {}),
  };
  if (Object.keys(body).length === 0)
    throw malformed("nothing to change", "trust update", "must have --builder, --clear-builders or --max-age");
  const client = await context.client();
  return give(context, await client.call("trust.update", { body }));
}

export async function trustPin(context: CommandContext): Promise<number> {
  const file = context.argument(0);
  const text = await readTextInput(context, { file, where: "the trusted root", bytesMax: ROOT_BYTES_MAX });
  const parsed = parseJsonStrict(text, { bytesMax: ROOT_BYTES_MAX });
  if (!parsed.ok) throw malformed("cannot read the trusted root", file, parsed.problem.message);
  const root = parsed.value;
  if (typeof root !== "object" || root === null || Array.isArray(root))
    throw malformed("no trusted root", file, "must be a JSON object such as Sigstore's trusted_root.json");
  const client = await context.client();
  return give(context, await client.call("trust.pin", { body: { trustedRoot: { ...root } } }));
}

export async function trustUnpin(context: CommandContext): Promise<number> {
  const client = await context.client();
  return give(context, await client.call("trust.unpin", {}));
}

/** `tests=30d` */
function ageOf(text: string): [kind: (typeof SIGNED_KINDS)[number], seconds: number] {
  const equals = text.indexOf("=");
  const kind = SIGNED_KINDS.find((one) => one === text.slice(0, Math.max(equals, 0)));
  if (kind === undefined)
    throw malformed(
      "no kind of evidence",
      `--max-age ${text}`,
      `must be such as tests=30d: ${SIGNED_KINDS.join(", ")}`,
    );
  return [kind, durationSeconds(text.slice(equals + 1), "--max-age")];
}

async function give(context: CommandContext, trust: Trust): Promise<number> {
  await context.show(trust, () => {
    const { builders, maxAgeSeconds, trustedRoot: root, updatedBy, updatedAt } = trust;
    const ages = Object.entries(maxAgeSeconds).map(([kind, seconds]) => [`max age of ${kind}`, `${seconds} s`]);
    return textRecord({
      builders: builders.length === 0 ? "none: no provenance counts" : builders.join(", "),
      ...Object.fromEntries(ages),
      "trusted root":
        root === null
          ? "none: no identity counts"
          : `${root.digest} (${root.certificateAuthorities} authorities, ${root.tlogs} transparency logs)`,
      ...(updatedBy === null ? {} : { "changed by": `${updatedBy} at ${updatedAt}` }),
    });
  });
  return 0;
}
