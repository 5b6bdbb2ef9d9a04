import { APPROVAL_TYPE, type RolloutConsent } from "../../../core/approval/statement.ts";
import { planDigest } from "../../../core/plan/canonical.ts";
import type { Plan } from "../../../core/plan/schema.ts";
import { type Briefing, briefingText, consentText, readBriefing } from "../approval-text.ts";
import { failed, malformed } from "../cli-error.ts";
import type { ApiClient } from "../client.ts";
import type { CommandContext } from "../command-context.ts";
import { confirm } from "../prompt.ts";
import { settleRollout } from "../settle-rollout.ts";
import { type Proof, proveStatement, readStatement } from "../sign-statement.ts";

type Role = RolloutConsent["role"];

/**
 * Shows what is to be approved, asks, signs on this machine, and hands it in. Nothing that the server says of the
 * statement is believed: what is signed is read here from its bytes, and compared with the plan that was shown.
 */
export async function approvalApprove(context: CommandContext): Promise<number> {
  const { role, reason } = glassOf(context);
  const digest = context.text("planDigest");
  if (context.flag("yes") && digest === undefined)
    throw malformed("--plan-digest is missing", "--yes", "must come with the digest of the plan that you read");
  const client = await context.client();
  const briefing = await readBriefing(client, context.argument(0));
  const { request, rollout } = briefing;
  if (digest !== undefined && digest !== request.planDigest)
    throw failed(`the rollout is about the plan ${request.planDigest}, not the one that was read`);
  if (planDigest(rollout.plan as Plan) !== request.planDigest)
    throw failed("the plan that the server shows has another digest than it says; nothing was approved");
  const proof = isPlain(context, briefing, role)
    ? await confirmed(context, { briefing, says: null })
    : await signed(context, client, { briefing, role, reason });
  const comment = context.text("comment");
  const approved = await client.call("approvals.approve", {
    params: { id: rollout.id },
    body: {
      planDigest: request.planDigest,
      ...(role === undefined ? {} : { role }),
      ...(comment === undefined ? {} : { comment }),
      ...proof,
    },
  });
  const after = Math.max(0, approved.sequence - 1);
  return settleRollout(context, { client, rollout: approved, after, exitAtOnce: () => 0 });
}

function glassOf(context: CommandContext): { role: Role | undefined; reason: string | undefined } {
  const reason = context.text("reason");
  const given = context.text("role") as Role | undefined;
  if (!context.flag("breakGlass")) {
    if (reason !== undefined)
      throw malformed("a reason without --break-glass", "--reason", "must stand beside it; use --comment");
    return { role: given, reason };
  }
  if (given !== undefined) throw malformed("two roles", "--role", "must be left out with --break-glass");
  if (reason === undefined) throw malformed("--reason is missing", "--break-glass", "must say why nobody can wait");
  return { role: "break-glass", reason };
}

/** Where no open need asks for MFA or a signature, and none is offered. */
function isPlain(context: CommandContext, { request }: Briefing, role: Role | undefined): boolean {
  if (role === "break-glass" || context.text("key") !== undefined) return false;
  const open = request.needs.filter((need) => need.given < need.count && (role === undefined || need.role === role));
  return open.every(({ mfa, signed: due }) => !mfa && !due);
}

async function signed(
  context: CommandContext,
  client: ApiClient,
  { briefing, role, reason }: { briefing: Briefing; role: Role | undefined; reason: string | undefined },
): Promise<Proof> {
  const { request, rollout } = briefing;
  const body = { ...(role === undefined ? {} : { role }), ...(reason === undefined ? {} : { reason }) };
  const statement = await client.call("approvals.statement", { params: { id: rollout.id }, body });
  const { says } = readStatement(statement, APPROVAL_TYPE);
  const { id: approver, tenant } = await client.call("principal.show", {});
  const expected: Partial<RolloutConsent> = {
    ...{ tenant, approver, rollout: rollout.id, planDigest: request.planDigest, policyDigest: rollout.policyDigest },
    ...{ environment: rollout.endpoint.environment, ...(role === undefined ? {} : { role }) },
  };
  for (const [field, value] of Object.entries(expected))
    if (says[field as keyof RolloutConsent] !== value)
      throw failed(`the statement to sign names another ${field} than what was shown; nothing was signed`);
  // With --yes nobody reads what is signed: a glass is broken by who asked for it, with their own words, and else never.
  if ((says.role === "break-glass") !== (role === "break-glass") || says.breakGlass?.reason !== reason)
    throw failed("the statement to sign breaks the glass otherwise than you asked; nothing was signed");
  await confirmed(context, { briefing, says });
  return proveStatement(context, statement);
}

/** Who cannot be asked must have said `--yes`; a digest on the command line is enough where nothing is signed. */
async function confirmed(
  context: CommandContext,
  { briefing, says }: { briefing: Briefing; says: RolloutConsent | null },
): Promise<Record<string, never>> {
  if (context.flag("yes") || (says === null && context.text("planDigest") !== undefined)) return {};
  if (!context.io.stdinIsTerminal)
    throw malformed("nobody can be asked here", "--yes", "must be given with --plan-digest where no terminal is there");
  const text = `${briefingText(briefing, context.paint)}${says === null ? "" : `\n${consentText(says, context.paint)}`}\n`;
  context.io.err(text);
  const verb = says === null ? "Approve" : "Sign and approve";
  if (await confirm(context.io, `${verb} exactly this?`)) return {};
  throw failed("nothing was approved");
}
