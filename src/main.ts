import { fileURLToPath } from "node:url";
import { main } from "./compose.ts";

process.exitCode = await main(process.argv.slice(2), fileURLToPath(import.meta.url));
