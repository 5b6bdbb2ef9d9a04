#!/usr/bin/env node
// Runs a script under the pinned Node: node bin/node.js SCRIPT [ARGS...]
import { spawn } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { findNode, TOO_OLD } from "./find-node.js";

/**
 * Re-executes the pinned Node with these arguments: in this process's place where the running Node can do that, so that
 * no second process stays beside a server for all its life; else as a child, exiting as it exits and passing signals on.
 */
export function run(args) {
  const node = findNode();
  if (node === undefined) {
    console.error(TOO_OLD);
    process.exit(1);
  }
  const path = `${dirname(node)}${delimiter}${process.env.PATH ?? ""}`; // so that a tool's own children use it too
  const env = { ...process.env, PATH: path };
  if (process.platform !== "win32" && typeof process.execve === "function") process.execve(node, [node, ...args], env);
  const child = spawn(node, args, { stdio: "inherit", env });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`continuum: cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (process.argv[1]?.endsWith("node.js")) run(process.argv.slice(2));
