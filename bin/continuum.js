#!/usr/bin/env node
// Finds the pinned Node and runs Continuum there: the TypeScript sources in a clone, the compiled ones in a package.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run } from "./node.js";

const source = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const compiled = fileURLToPath(new URL("../dist/main.js", import.meta.url));
run([existsSync(source) ? source : compiled, ...process.argv.slice(2)]);
