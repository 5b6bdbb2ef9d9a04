import { globSync } from "node:fs";
import { join } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import extractOptions from "dependency-cruiser/config-utl/extract-depcruise-config";

// Holds the walls of .dependency-cruiser.js. A checker that looked at nothing is green too, so its modules are counted
// against the files. `node test/walls.ts [FOLDER]` looks at another tree with that tree's own rules.
process.chdir(process.argv[2] ?? join(import.meta.dirname, ".."));
const options = await extractOptions(join(process.cwd(), ".dependency-cruiser.js"));
const { output } = await cruise(["src"], { ...options, ruleSet: options, validate: true } as never, undefined, {});
const result = output as ICruiseResult;

const seen = new Set(result.modules.map((module) => module.source).filter((source) => source.startsWith("src/")));
const missed = globSync("src/**/*.ts").filter((file) => !seen.has(file));
for (const violation of result.summary.violations) {
  const cycle = violation.cycle === undefined ? "" : ` (${violation.cycle.map((step) => step.name).join(" -> ")})`;
  console.error(`walls: ${violation.rule.name}: ${violation.from} -> ${violation.to}${cycle}`);
}
for (const file of missed) console.error(`walls: ${file} was not looked at`);
const broken = result.summary.violations.length + missed.length;
console.log(`walls: ${seen.size} modules, ${result.summary.totalDependenciesCruised ?? 0} imports, ${broken} broken`);
process.exit(broken === 0 && seen.size > 0 ? 0 : 1);
