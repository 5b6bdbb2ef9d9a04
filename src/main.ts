import { writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { keepCompiled } from "./config/compile-cache.ts";
import { processEnvironment } from "./config/environment.ts";

const argv = process.argv.slice(2);
// The quickstart promises to leave nothing behind.
if (argv[0] !== "quickstart") keepCompiled(processEnvironment());
// A command asks Cedar a few times and ends: compiling it again, for speed, would cost more than it saves. A server does.
if (argv[0] !== "start") setFlagsFromString("--wasm-tiering-budget=100000000");
// Loaded after that, so that it comes from what was kept.
const { main } = await import("./compose.ts");
void main(argv, fileURLToPath(import.meta.url)).then((code) => {
  process.exitCode = code;
});
process.once("exit", () => {
  if (process.exitCode !== undefined) return;
  // Nothing is left that could answer. Node would end in silence, as if all were well.
  writeSync(2, "continuum: ended early, what it waited for is gone; `continuum doctor` looks closer (interrupted)\n");
  process.exitCode = 1;
});
