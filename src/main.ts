import { fileURLToPath } from "node:url";
import { keepCompiled } from "./config/compile-cache.ts";
import { processEnvironment } from "./config/environment.ts";

const argv = process.argv.slice(2);
// The quickstart promises to leave nothing behind.
if (argv[0] !== "quickstart") keepCompiled(processEnvironment());
// Loaded after that, so that it comes from what was kept.
const { main } = await import("./compose.ts");
process.exitCode = await main(argv, fileURLToPath(import.meta.url));
