import { timingSafeEqual } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { ContinuumError } from "../../core/error.ts";
import { FrameReader, FrameWriter, metaInput, metaOp, metaOutput, OP, OUTPUT_FORMAT, replyMeta } from "./frames.ts";
import { Model } from "./model.ts";
import { type StartOrder, type StartReport, startOrderSchema } from "./start-order.ts";

/**
 * A replica: one model in one process. It is told everything over its standard input, answers over one unix socket,
 * and knows nothing else of the world. It survives the death of the process that started it, so that a crash of the
 * router interrupts no model, and ends by itself once nobody can come back for it.
 */
const ORPHAN_LOOK_MS = 2000;
const STANDARD_OUTPUT = 1;

async function main(): Promise<void> {
  const { order, bytes } = await readStart();
  const model = await Model.load({
    bytes,
    threads: order.threads,
    servedName: order.servedName,
    modelVersion: order.modelVersion,
  });
  await model.warmUp();
  const connections = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    serve({ socket, model, order });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(order.socketPath, resolve);
  });
  // Out of file descriptors, it goes on serving those who are connected.
  server.on("error", () => undefined);
  watchForOrphanhood(order, connections);
  report({ ok: true });
}

async function readStart(): Promise<{ order: StartOrder; bytes: Uint8Array }> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  const input = Buffer.concat(chunks);
  const orderEnd = 4 + input.readUInt32BE(0);
  return {
    order: startOrderSchema.parse(JSON.parse(input.toString("utf8", 4, orderEnd))),
    bytes: input.subarray(orderEnd),
  };
}

/** Speaks with one connection; nothing but a right `hello` is answered before it. */
function serve({ socket, model, order }: { socket: Socket; model: Model; order: StartOrder }): void {
  const writer = new FrameWriter(socket);
  let welcome = false;
  let unanswered = 0;
  const reader = new FrameReader((id, meta, body) => {
    const op = metaOp(meta);
    if (op === OP.hello) {
      welcome = sameToken(body, order.token);
      if (!welcome) return void socket.destroy();
      const hello = { pid: process.pid, variant: order.variant, inputs: model.inputs, outputs: model.outputs };
      return writer.write(id, replyMeta(200, OUTPUT_FORMAT.json), Buffer.from(JSON.stringify(hello)));
    }
    if (!welcome) return void socket.destroy();
    if (op === OP.stop) process.exit(0);
    if (op === OP.ping) {
      const rss = { rssBytes: process.memoryUsage.rss() };
      return writer.write(id, replyMeta(200, OUTPUT_FORMAT.json), Buffer.from(JSON.stringify(rss)));
    }
    if (op !== OP.infer) return void socket.destroy();
    unanswered += 1;
    void model.answer(body, metaInput(meta), metaOutput(meta)).then((answer) => {
      unanswered -= 1;
      writer.write(id, replyMeta(answer.status, answer.output), answer.body);
      // What came together is answered together, and nobody waits for another turn of the loop.
      if (unanswered === 0) writer.flush();
    });
  });
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    try {
      reader.push(chunk);
    } catch {
      socket.destroy();
    }
  });
}

function sameToken(given: Buffer, token: string): boolean {
  const wanted = Buffer.from(token);
  return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted);
}

function watchForOrphanhood(order: StartOrder, connections: ReadonlySet<Socket>): void {
  let aloneMs = 0;
  setInterval(() => {
    if (connections.size > 0) {
      aloneMs = 0;
      return;
    }
    aloneMs += ORPHAN_LOOK_MS;
    // Two looks, so that a replica that was just started is written down before it asks.
    const abandoned = aloneMs >= 2 * ORPHAN_LOOK_MS && !isWrittenDown(order);
    if (abandoned || aloneMs >= order.orphanMsMax) process.exit(0);
  }, ORPHAN_LOOK_MS);
}

/** Whether the state file is there and names this replica: only then can somebody come back for it. */
function isWrittenDown(order: StartOrder): boolean {
  try {
    return readFileSync(order.stateFile, "utf8").includes(order.token);
  } catch {
    return false;
  }
}

function report(start: StartReport): void {
  writeSync(STANDARD_OUTPUT, `${JSON.stringify(start)}\n`);
}

// The other ends of these pipes may be gone long before this process is.
process.stdout.on("error", () => undefined);
process.stderr.on("error", () => undefined);

main().catch((error: unknown) => {
  const known = error instanceof ContinuumError;
  const reason = error instanceof Error ? error.message : String(error);
  report({ ok: false, code: known ? error.code : "replica-failed", reason });
  process.exit(1);
});
