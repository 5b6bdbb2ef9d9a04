import { parsePublicKey } from "../../../core/evidence/public-key.ts";
import { failed, malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { writeNewFile } from "../files.ts";
import { keepBundle, pinnedKeyOf, verifiedBundle } from "../policy-bundle-file.ts";
import { readPublicKey } from "../read-keys.ts";
import { textRecord } from "../text-table.ts";

/**
 * Fetches the policy in force as a signed bundle. The key that signs it is the one that the user names, else the one of
 * the first pull from this server: a server that signs with another key all at once is not believed.
 */
export async function policyPull(context: CommandContext): Promise<number> {
  const client = await context.client();
  const keyFile = context.text("key");
  const named = keyFile === undefined ? undefined : await readPublicKey(context, { file: keyFile, where: "--key" });
  const answer = await client.call("policy.bundle", {});
  const known = named ?? (await pinnedKeyOf(context, client.url));
  if (known !== undefined && known.keyId !== answer.keyId)
    throw malformed(
      `signed by another key (${answer.keyId})`,
      named === undefined ? `the policy of ${client.url}` : `--key ${keyFile}`,
      named === undefined
        ? "must be by the key of the first pull; when its operator says that it changed, give the new one: --key FILE"
        : "must be the key that the server signs with",
    );
  const given = parsePublicKey(answer.publicKey);
  if (!given.ok || given.value.keyId !== answer.keyId)
    throw failed("the server gave no key that belongs to its bundle");
  const bundle = await verifiedBundle(context, {
    text: answer.bundle,
    place: `the policy of ${client.url}`,
    named: known ?? given.value,
    server: client.url,
  });
  if (known === undefined) context.note(`the policy key ${answer.keyId} of ${client.url} is trusted from now on`);
  const file = context.text("outputFile");
  if (file !== undefined) await writeNewFile(context, { file, text: answer.bundle, where: "-o" });
  const place = file ?? (await keepBundle(context, answer.bundle));
  const expiresAt = new Date(bundle.expiresAtMs).toISOString();
  const { tenant, sequence, policyDigest } = bundle;
  const told = {
    tenant,
    policyDigest,
    sequence,
    expiresAt,
    keyId: answer.keyId,
    publicKey: answer.publicKey,
    file: place,
  };
  await context.show(told, () =>
    textRecord({ policy: policyDigest, tenant, sequence, expires: expiresAt, key: answer.keyId, file: place }),
  );
  return 0;
}
