import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { findProgram, must, processTree, scratchFolder, until, versionOf } from "./measure.ts";

/** A balancer with the same split over the same kind of replicas. */
export interface Balancer {
  name: string;
  port: number;
  /** Its processes, the workers included. */
  pids(): number[];
  /** Sends everything to the stable replica from now on; resolves when the balancer says that it is so. */
  allToStable(): Promise<void>;
  stop(): Promise<void>;
}

export interface Split {
  stablePort: number;
  candidatePort: number;
  candidatePercent: number;
}

/** Starts haproxy in front of the replicas; undefined when it is not installed. */
export async function startHaproxy(split: Split): Promise<Balancer | undefined> {
  const program = findProgram("haproxy");
  if (program === undefined) return undefined;
  const folder = await scratchFolder("haproxy");
  const port = await freePort();
  const admin = join(folder.path, "admin.sock");
  const config = `global
  maxconn 4096
  stats socket ${admin} level admin
defaults
  mode http
  timeout connect 5s
  timeout client 65s
  timeout server 65s
  http-reuse always
listen split
  bind 127.0.0.1:${port}
  balance random
  server stable 127.0.0.1:${split.stablePort} weight ${100 - split.candidatePercent}
  server candidate 127.0.0.1:${split.candidatePort} weight ${split.candidatePercent}
`;
  const file = join(folder.path, "haproxy.cfg");
  writeFileSync(file, config);
  const child = spawn(program, ["-db", "-f", file], { stdio: ["ignore", "ignore", "inherit"] });
  await listening("haproxy", port, child);
  return {
    ...{ name: `haproxy ${versionOf(program, "-v")}`, port, pids: () => processTree(child.pid ?? 0) },
    allToStable: async () => {
      const said = await sayTo(admin, "set weight split/candidate 0\n");
      must(said.trim() === "", `haproxy takes the new weight: ${said}`);
    },
    stop: async () => {
      await ended(child);
      folder.remove();
    },
  };
}

/** Starts nginx in front of the replicas; undefined when it is not installed. */
export async function startNginx(split: Split): Promise<Balancer | undefined> {
  const program = findProgram("nginx");
  if (program === undefined) return undefined;
  const folder = await scratchFolder("nginx");
  const port = await freePort();
  const file = join(folder.path, "nginx.conf");
  const write = (servers: string) => writeFileSync(file, nginxConfig({ folder: folder.path, port, servers }));
  const stable = `server 127.0.0.1:${split.stablePort}`;
  const candidate = `server 127.0.0.1:${split.candidatePort} weight=${split.candidatePercent};`;
  write(`${stable} weight=${100 - split.candidatePercent}; ${candidate}`);
  const child = spawn(program, ["-c", file, "-p", folder.path, "-e", "stderr"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await listening("nginx", port, child);
  return {
    ...{ name: `nginx ${versionOf(program, "-v")}`, port, pids: () => processTree(child.pid ?? 0) },
    allToStable: async () => {
      write(`${stable};`);
      child.kill("SIGHUP");
    },
    stop: async () => {
      await ended(child);
      folder.remove();
    },
  };
}

function nginxConfig({ folder, port, servers }: { folder: string; port: number; servers: string }): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; ${paths.join(" ")}
  upstream split { random; ${servers} keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://split; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });
}

async function listening(name: string, port: number, child: ChildProcess): Promise<void> {
  await until(`${name} listens`, () => {
    must(child.exitCode === null, `${name} starts (it ended with ${child.exitCode})`);
    return new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(true);
      });
      socket.once("error", () => resolve(false));
    });
  });
}

function sayTo(path: string, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.end(words));
    let said = "";
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(said));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
}
