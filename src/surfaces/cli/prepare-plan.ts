import { dirname, resolve } from "node:path";
import { planDigest } from "../../core/plan/canonical.ts";
import { withDefaults } from "../../core/plan/defaults.ts";
import { DOCUMENT_BYTES_MAX } from "../../core/plan/input-rules.ts";
import { parsePlan } from "../../core/plan/parse.ts";
import type { Plan, PlanInput } from "../../core/plan/schema.ts";
import { malformed } from "./cli-error.ts";
import type { CommandContext } from "./command-context.ts";
import { digestOfFile, readTextInput } from "./files.ts";

/** A file that a plan names, found and hashed. */
export interface PlanFile {
  /** As the plan has it, `file:./model.onnx`. */
  reference: string;
  path: string;
  digest: string;
}

export interface PreparedPlan {
  /** As the user wrote it, every `file:` replaced by `store:`. */
  input: PlanInput;
  /** With the defaults filled in. */
  plan: Plan;
  planDigest: string;
  files: PlanFile[];
}

/** Reads the plan of `-f` and hashes the files that it names. Every mistake is one line with its place. */
export async function preparePlan(
  context: CommandContext,
  options: { file?: string; dryRun?: boolean } = {},
): Promise<PreparedPlan> {
  const file = options.file ?? context.text("file") ?? "-";
  const text = await readTextInput(context, { file, where: "the plan", bytesMax: DOCUMENT_BYTES_MAX });
  const parsed = parsePlan(text, { fileName: file === "-" ? "standard input" : file });
  if (!parsed.ok) throw malformed(parsed.problem.message, "", "");
  const { workingDir } = context.io.environment;
  const folder = file === "-" ? workingDir : dirname(resolve(workingDir, file));
  const { input, files } = await withStoredFiles(parsed.value, { folder, planFile: file });
  if (options.dryRun !== undefined) input.spec.dryRun = options.dryRun;
  const plan = withDefaults(input);
  return { input, plan, planDigest: planDigest(plan), files };
}

async function withStoredFiles(
  input: PlanInput,
  from: { folder: string; planFile: string },
): Promise<{ input: PlanInput; files: PlanFile[] }> {
  const result = structuredClone(input);
  const files: PlanFile[] = [];
  const store = async (reference: string, pointer: string): Promise<string> => {
    const path = resolve(from.folder, reference.slice("file:".length));
    const names = { file: reference, where: `${from.planFile} at ${pointer}` };
    const { digest } = await digestOfFile(path, names);
    files.push({ reference, path, digest });
    return `store:${digest}`;
  };
  const { model, monitor } = result.spec;
  if (model.artifact.startsWith("file:")) model.artifact = await store(model.artifact, "/spec/model/artifact");
  if (monitor?.baseline?.startsWith("file:"))
    monitor.baseline = await store(monitor.baseline, "/spec/monitor/baseline");
  return { input: result, files };
}

/** The plan as its user would write it: what lies in files here is named by its file again. */
export function withFileReferences(plan: Plan, files: readonly PlanFile[]): Plan {
  const result = structuredClone(plan);
  const referenceOf = (stored: string) => files.find(({ digest }) => stored === `store:${digest}`)?.reference ?? stored;
  result.spec.model.artifact = referenceOf(result.spec.model.artifact);
  const { monitor } = result.spec;
  if (monitor?.baseline !== undefined) monitor.baseline = referenceOf(monitor.baseline);
  return result;
}
