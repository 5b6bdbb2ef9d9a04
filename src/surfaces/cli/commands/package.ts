import {
  compareFiles,
  type FileDifference,
  type ModelManifest,
  readModelManifest,
  writeModelManifest,
} from "../../../core/evidence/model-manifest.ts";
import { statementSchema } from "../../../core/evidence/statement.ts";
import { sha256Digest } from "../../../core/plan/canonical.ts";
import { parseJsonStrict } from "../../../core/plan/parse.ts";
import { malformed } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { differencesText } from "../difference-text.ts";
import { EXIT } from "../exit-codes.ts";
import { readTextInput } from "../files.ts";
import { giveText } from "../give-text.ts";
import { modelFiles, pathsToIgnore, readModelFolder } from "../model-files.ts";
import { signedBytes } from "../signed-target.ts";

const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;

/** Writes the manifest of a model or a plan, or compares a model with its manifest. */
export async function packageManifest(context: CommandContext): Promise<number> {
  const folder = context.argument(0);
  const against = context.text("against");
  if (context.text("type") === "plan") return packagePlan(context, folder);
  if (against !== undefined) return checkModel(context, { folder, manifestFile: against });
  const { manifest, sizeBytes } = await readModelFolder(context, { folder, beside: [context.text("outputFile")] });
  await giveText(context, {
    text: Buffer.from(writeModelManifest(manifest)).toString("utf8"),
    words: `${manifest.files.length} files of ${folder}, ${sizeBytes} bytes, ${manifest.digest}`,
    facts: { digest: manifest.digest, files: manifest.files.length, sizeBytes },
  });
  return EXIT.ok;
}

/** A plan's manifest is its canonical bytes: what the server stores and runs, and what is signed for it. */
async function packagePlan(context: CommandContext, file: string): Promise<number> {
  if (context.text("against") !== undefined)
    throw malformed("a list of files", "--against", "is for models; `plan diff` compares plans");
  const bytes = await signedBytes(context, { target: file, kind: "plan" });
  const digest = sha256Digest(bytes);
  await giveText(context, {
    text: Buffer.from(bytes).toString("utf8"),
    words: `the plan ${file}, ${digest}`,
    facts: { digest, sizeBytes: bytes.length },
  });
  return EXIT.ok;
}

async function checkModel(
  context: CommandContext,
  { folder, manifestFile }: { folder: string; manifestFile: string },
): Promise<number> {
  if (context.text("outputFile") !== undefined)
    throw malformed("a file to write", "-o", "does not go with --against, which writes nothing");
  const manifest = await readManifest(context, manifestFile);
  const ignored = pathsToIgnore(context, { folder, beside: [manifestFile], manifest });
  const files = await modelFiles(context, { folder, ignored, links: "report" });
  const differences = compareFiles(manifest, files, ignored);
  const { digest } = manifest;
  await context.show({ ok: differences.length === 0, digest, files: manifest.files.length, differences }, () =>
    checkText(context, { manifest, differences }),
  );
  return differences.length === 0 ? EXIT.ok : EXIT.failed;
}

function checkText(
  context: CommandContext,
  { manifest, differences }: { manifest: ModelManifest; differences: readonly FileDifference[] },
): string {
  if (differences.length === 0)
    return `${context.paint.good("THE SAME")}  ${manifest.files.length} files, ${manifest.digest}\n`;
  return `${context.paint.bad("NOT THE SAME")}\n${differencesText(differences)}`;
}

async function readManifest(context: CommandContext, file: string): Promise<ModelManifest> {
  const text = await readTextInput(context, { file, where: "--against", bytesMax: MANIFEST_BYTES_MAX });
  const parsed = parseJsonStrict(text, { bytesMax: MANIFEST_BYTES_MAX });
  if (!parsed.ok) throw malformed("cannot read the manifest", `--against ${file}`, parsed.problem.message);
  const statement = statementSchema.safeParse(parsed.value);
  if (!statement.success)
    throw malformed("no model manifest", `--against ${file}`, "must be a list of files such as `package` writes");
  const manifest = readModelManifest(statement.data);
  if (!manifest.ok)
    throw malformed("no model manifest", `--against ${file}`, `${manifest.problem.path} ${manifest.problem.message}`);
  return manifest.value;
}
