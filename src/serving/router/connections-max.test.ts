import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { servingFixture } from "../testing/serving-fixture.ts";
import { sumModel } from "../testing/test-models.ts";
import { connectionsMax } from "./connections-max.ts";

it.each([
  ["Max open files            1024                 4096                 files", 512],
  ["Max processes 7 7 processes\nMax open files            1048576   1048576   files\n", 16_384],
  ["Max open files            unlimited            unlimited            files", 512],
  ["", 512],
])("is half of the files that may be open: %s", (limits, expected) => {
  expect(connectionsMax(limits)).toBe(expected);
});

it("holds for callers, and leaves the control plane its way in", async () => {
  const fixture = await servingFixture({ limits: { connectionsMax: 10 } });
  const port = Number(new URL(fixture.serving.url).port);
  const sockets: Socket[] = [];
  try {
    await fixture.serve("v1", sumModel({ bias: 0 }));
    for (let n = 0; n < 40; n += 1) sockets.push(connect(port, "127.0.0.1").on("error", () => undefined));
    const open = () => sockets.filter((socket) => !socket.destroyed).length;
    await expect.poll(open).toBe(10);
    expect((await fixture.target.describe(fixture.at))?.variants).toHaveLength(1);
    await fixture.target.scale(fixture.effect(), 2);
    for (const socket of sockets) socket.destroy();
    const asked = () =>
      fixture.invoke('{"instances":[[1,2,3]]}').then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(asked).toBe(200);
  } finally {
    for (const socket of sockets) socket.destroy();
    await fixture.dispose();
  }
});
