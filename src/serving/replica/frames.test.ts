import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FrameReader,
  FrameWriter,
  metaInput,
  metaOp,
  metaOutput,
  metaStatus,
  replyMeta,
  requestMeta,
} from "./frames.ts";

function framed(id: number, meta: number, body: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32BE(4 + body.byteLength, 0);
  head.writeUInt32BE(id, 4);
  head.writeUInt32BE(meta, 8);
  return Buffer.concat([head, body]);
}

describe("frames", () => {
  const frame = fc.record({
    id: fc.integer({ min: 0, max: 0xffffffff }),
    meta: fc.integer({ min: 0, max: 0xffffffff }),
    body: fc.uint8Array({ maxLength: 200 }),
  });

  it("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        (frames, cuts) => {
          const stream = Buffer.concat(frames.map(({ id, meta, body }) => framed(id, meta, Buffer.from(body))));
          const seen: { id: number; meta: number; body: Uint8Array }[] = [];
          const reader = new FrameReader((id, meta, body) => seen.push({ id, meta, body: Uint8Array.from(body) }));
          for (let at = 0, cut = 0; at < stream.byteLength; cut += 1) {
            const size = cuts[cut % cuts.length] ?? 1;
            reader.push(stream.subarray(at, at + size));
            at += size;
          }
          expect(seen).toEqual(frames);
        },
      ),
    );
  });

  it("refuses a length that no peer of ours would send", () => {
    const reader = new FrameReader(() => undefined);
    expect(() => reader.push(Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]))).toThrow("outside the protocol");
    expect(() => new FrameReader(() => undefined).push(Buffer.alloc(8))).toThrow("outside the protocol");
  });

  it("carry what they mean in four bytes", () => {
    const request = requestMeta(1, 2, 3);
    expect([metaOp(request), metaInput(request), metaOutput(request)]).toEqual([1, 2, 3]);
    const reply = replyMeta(504, 2);
    expect([metaStatus(reply), metaOutput(reply)]).toEqual([504, 2]);
  });

  it("cross a socket, small and large", async () => {
    const directory = await mkdtemp(join(tmpdir(), "continuum-frames-"));
    const bodies = [Buffer.from("a"), Buffer.alloc(0), Buffer.alloc(300_000, 7), Buffer.from("z")];
    const seen: [number, number][] = [];
    const done = new Promise<void>((resolve) => {
      const server = createServer((socket: Socket) => {
        const reader = new FrameReader((id, _meta, body) => {
          seen.push([id, body.byteLength]);
          if (seen.length === bodies.length) server.close(() => resolve());
        });
        socket.on("data", (chunk: Buffer) => reader.push(chunk));
        socket.on("end", () => socket.end());
      });
      server.listen(join(directory, "s"), () => {
        const socket = connect(join(directory, "s"));
        const writer = new FrameWriter(socket);
        for (const [id, body] of bodies.entries()) writer.write(id, 1, body);
        setTimeout(() => socket.end(), 200);
      });
    });
    await done;
    await rm(directory, { recursive: true });
    expect(seen).toEqual([
      [0, 1],
      [1, 0],
      [2, 300_000],
      [3, 1],
    ]);
  });
});
