import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type PublicKey, parsePublicKey } from "../../core/evidence/public-key.ts";
import { openPolicyBundle, POLICY_BUNDLE_BYTES_MAX, type PolicyBundle } from "../../core/policy/policy-bundle.ts";
import { malformed, unreachable } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { readTextInput } from "./files.ts";
import { readPublicKey } from "./read-keys.ts";

/** Where a client keeps the bundle that it pulled, and what it knows of the keys that sign bundles. */

const PULL = "`continuum policy pull` fetches one";

export interface PinnedKey {
  keyId: string;
  publicKey: string;
  /** The server that it was pulled from; null when the user named the key. */
  server: string | null;
  tenant: string;
  /** The newest bundle of this key that was seen. */
  sequence: number;
  policyDigest: string;
}

const pinnedSchema = z.strictObject({
  version: z.literal(1),
  keys: z.array(
    z.strictObject({
      keyId: z.string(),
      publicKey: z.string(),
      server: z.string().nullable(),
      tenant: z.string(),
      sequence: z.number().int(),
      policyDigest: z.string(),
    }),
  ),
});

/** A bundle that was verified, and where it lies. */
export interface BundleInUse {
  bundle: PolicyBundle;
  place: string;
}

/**
 * The bundle to decide by: the one that was named, else the one that was pulled last; undefined when there is none and
 * none is required. One that is expired, changed, signed by a key that is not trusted here, or older than one that was
 * seen is refused: it is the user's to replace, and the shipped set does not step in for it.
 */
export async function bundleInUse(
  context: CommandContext,
  { file, required }: { file: string | undefined; required: boolean },
): Promise<BundleInUse | undefined> {
  const keyFile = context.text("key");
  const kept = join(await folderOf(context), BUNDLE_NAME);
  const text = file === undefined ? await textIfThere(kept) : await readBundleFile(context, file);
  if (text === undefined) {
    if (required) throw unreachable(`no policy bundle, --require-bundle wants one: ${PULL}`);
    if (keyFile !== undefined) throw malformed("a key without a bundle", "--key", `must come with a bundle: ${PULL}`);
    return undefined;
  }
  const place = file === undefined ? `the pulled policy bundle ${kept}` : `--bundle ${file}`;
  const named = keyFile === undefined ? undefined : await readPublicKey(context, { file: keyFile, where: "--key" });
  const bundle = await verifiedBundle(context, { text, place, named, server: null });
  return { bundle, place };
}

/**
 * Verifies a bundle by the key that the user named, else by those that were pinned, and remembers that it was seen.
 * `server` and `trusted` are of a pull.
 */
export async function verifiedBundle(
  context: CommandContext,
  from: { text: string; place: string; named: PublicKey | undefined; server: string | null },
): Promise<PolicyBundle> {
  const pinned = await readPinned(context);
  const keys = from.named === undefined ? pinned.map(keyOf) : [from.named];
  if (keys.length === 0)
    throw malformed(
      "nobody vouches for its key",
      from.place,
      "must be pulled from its server once, or come with the server's policy key: --key FILE",
    );
  const opened = openPolicyBundle(from.text, {
    keys,
    nowMs: Date.now(),
    seen: (keyId, tenant) => pinned.find((one) => one.keyId === keyId && one.tenant === tenant),
  });
  if (!opened.ok) throw malformed("a policy bundle that does not count", from.place, opened.message);
  const { bundle, keyId } = opened;
  const key = keys.find((one) => one.keyId === keyId);
  if (key !== undefined) await remember(context, pinned, { key, bundle, server: from.server });
  return bundle;
}

/** The key that this server's bundles were signed with at the first pull; undefined before that. */
export async function pinnedKeyOf(context: CommandContext, server: string): Promise<PublicKey | undefined> {
  const pinned = (await readPinned(context)).findLast((one) => one.server === server);
  return pinned === undefined ? undefined : keyOf(pinned);
}

export async function keepBundle(context: CommandContext, text: string): Promise<string> {
  const folder = await folderOf(context);
  await writeWhole(folder, BUNDLE_NAME, text);
  return join(folder, BUNDLE_NAME);
}

const BUNDLE_NAME = "bundle.json";
const PINNED_NAME = "keys.json";

async function folderOf(context: CommandContext): Promise<string> {
  return join((await context.config()).dataDir, "policy");
}

async function readPinned(context: CommandContext): Promise<PinnedKey[]> {
  const file = join(await folderOf(context), PINNED_NAME);
  const text = await textIfThere(file);
  if (text === undefined) return [];
  const damaged = () =>
    malformed(
      "a damaged list of policy keys",
      file,
      "must be removed; the next pull begins it anew, and trusts what it gets",
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged();
  }
  const parsed = pinnedSchema.safeParse(value);
  if (!parsed.success) throw damaged();
  return parsed.data.keys;
}

function keyOf({ publicKey, keyId }: PinnedKey): PublicKey {
  const key = parsePublicKey(publicKey);
  if (key.ok) return key.value;
  throw malformed("a damaged policy key", keyId, `${key.problem.message}; remove it, and pull again`);
}

/** Only what is newer is written, so that a check in a folder that cannot be written needs nothing of it. */
async function remember(
  context: CommandContext,
  pinned: readonly PinnedKey[],
  seen: { key: PublicKey; bundle: PolicyBundle; server: string | null },
): Promise<void> {
  const { key, bundle, server } = seen;
  const { tenant, sequence, policyDigest } = bundle;
  const isIt = (one: PinnedKey) => one.keyId === key.keyId && one.tenant === tenant;
  const known = pinned.find(isIt);
  const place = server ?? known?.server ?? null;
  if (known?.sequence === sequence && known.server === place) return;
  const entry = { keyId: key.keyId, publicKey: key.spkiPem, server: place, tenant, sequence, policyDigest };
  const keys = [...pinned.filter((one) => !isIt(one)), entry];
  try {
    await writeWhole(await folderOf(context), PINNED_NAME, `${JSON.stringify({ version: 1, keys }, null, 2)}\n`);
  } catch (error) {
    if (server !== null) throw error;
    context.note(`it cannot be remembered that policy ${sequence} was seen: ${(error as Error).message}`);
  }
}

async function textIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw malformed("a file that cannot be read", file, "must be yours");
  }
}

function readBundleFile(context: CommandContext, file: string): Promise<string> {
  return readTextInput(context, { file, where: "--bundle", bytesMax: POLICY_BUNDLE_BYTES_MAX });
}

/** In one step: whoever reads meanwhile finds the old one or the new one. */
async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const fresh = join(folder, `${name}.${process.pid}.new`);
  await writeFile(fresh, text, { mode: 0o600 });
  await chmod(fresh, 0o600);
  await rename(fresh, join(folder, name));
}
