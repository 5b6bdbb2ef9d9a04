import { POLICY_APPROVAL_TYPE } from "../../../core/approval/statement.ts";
import { loadPolicySet, policyDigestOf } from "../../../core/policy/load-policy-set.ts";
import type { PolicyFile } from "../../../core/policy/policy.ts";
import { policyDataOf } from "../../../core/policy/policy-data.ts";
import { diffPolicySets } from "../../../core/policy/policy-diff.ts";
import { diffPolicyData } from "../../../core/policy/policy-diff-plans.ts";
import { failed, malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { policyDiffText } from "../policy-diff-text.ts";
import { confirm } from "../prompt.ts";
import { proveStatement, readStatement } from "../sign-statement.ts";
import { versionText } from "./policy-change.ts";

/**
 * Puts a version into force: shows what it changes, and signs that this and nothing else is meant. Digests and the
 * difference are computed here of the files that the server shows, so that what was looked at is what is signed; of the
 * server's own word only the plans that it has are taken.
 */
export async function policyActivate(context: CommandContext): Promise<number> {
  const client = await context.client();
  const params = { digest: context.argument(0) };
  const { version, files } = await client.call("policy.show", { params });
  const { before, plans } = await client.call("policy.diff", { params });
  const inForce = await client.call("policy.show", { params: { digest: before } });
  const [old, now] = [readVersion(inForce.files, before), readVersion(files, params.digest)];
  const diff = { ...diffPolicySets(old.set, now.set), data: diffPolicyData(old, now), plans };
  context.note(`${versionText(version)}\n${policyDiffText(diff)}`);
  if (!context.flag("yes") && !(await confirm(context.io, "Put it into force?")))
    throw malformed("not confirmed", "policy activate", "must be confirmed on the terminal, or with --yes");
  const statement = await client.call("policy.statement", { params });
  const { says } = readStatement(statement, POLICY_APPROVAL_TYPE);
  if (says.policyDigest !== params.digest || says.fromPolicyDigest !== before)
    throw failed("the policy in force changed while you looked; look again, nothing was signed");
  const body = await proveStatement(context, statement);
  const activated = await client.call("policy.activate", { params, body });
  await context.show(activated, () => `in force: ${activated.digest}\n`);
  return 0;
}

function readVersion(files: readonly PolicyFile[], digest: string) {
  if (policyDigestOf(files) !== digest)
    throw failed("the server shows files that are not those of the digest; nothing was signed");
  const [set, data] = [loadPolicySet(files), policyDataOf(files)];
  if (!set.ok || !data.ok)
    throw failed(
      `this program cannot read the version ${digest}, and so cannot show what it changes; nothing was signed`,
    );
  return { set: set.value, ...data.value };
}
