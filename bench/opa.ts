import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import type { Attributes } from "../src/core/policy/attributes.ts";
import type { PolicySet } from "../src/core/policy/policy.ts";
import { cpuSeconds, findProgram, must, scratchFolder, until, versionOf } from "./measure.ts";
import { regoOf } from "./rego.ts";

/** An OPA server with the same clauses, asked over a socket of this machine as a service beside it would ask. */
export interface OpaServer {
  name: string;
  /** The ids of the policies that forbid. */
  forbidding(attributes: Attributes): Promise<string[]>;
  /** Processor time that the server has used so far, in seconds. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** Undefined when OPA is not installed. */
export async function startOpa(set: PolicySet): Promise<OpaServer | undefined> {
  const program = findProgram("opa");
  if (program === undefined) return undefined;
  const folder = await scratchFolder("opa");
  const socket = join(folder.path, "opa.sock");
  const policy = join(folder.path, "continuum.rego");
  writeFileSync(policy, regoOf(set));
  const options = ["--addr", `unix://${socket}`, "--log-level", "error", "--skip-version-check"];
  const child = spawn(program, ["run", "--server", ...options, policy], { stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method: string, path: string, body: string) => post({ agent, socket, method, path, body });
  await until("OPA answers", async () => {
    must(child.exitCode === null, "OPA takes the translated policies");
    return ask("GET", "/health", "").then(
      () => true,
      () => false,
    );
  });
  return {
    name: `OPA ${versionOf(program, "version")} server`,
    forbidding: async (attributes) => {
      const answer = await ask("POST", "/v1/data/continuum/forbidding", JSON.stringify({ input: attributes }));
      const { result } = JSON.parse(answer) as { result?: string[] };
      must(result !== undefined, `OPA answers: ${answer}`);
      return result;
    },
    cpuSeconds: () => cpuSeconds(child.pid ?? 0),
    stop: async () => {
      agent.destroy();
      child.kill("SIGTERM");
      await ended;
      folder.remove();
    },
  };
}

interface Question {
  agent: Agent;
  socket: string;
  method: string;
  path: string;
  body: string;
}

function post({ agent, socket, method, path, body }: Question): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const asked = request({ agent, socketPath: socket, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`OPA says ${response.statusCode}: ${text}`));
      });
    });
    asked.once("error", reject);
    asked.end(body);
  });
}
