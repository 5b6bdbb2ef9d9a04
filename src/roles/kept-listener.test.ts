import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { supervise } from "./supervisor.ts";

let folder: string;
let entry: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-listener-"));
  entry = join(folder, "program.ts");
  writeFileSync(
    entry,
    `import { createServer } from "node:http";
     import { inheritedListener, keepListener } from ${JSON.stringify(new URL("./kept-listener.ts", import.meta.url).href)};
     const inherited = await inheritedListener();
     const server = createServer((_, response) => response.end(String(process.pid)));
     const ready = () => {
       if (inherited === undefined) keepListener(server._handle);
       process.send({ type: "ready", url: "http://127.0.0.1:" + server.address().port });
     };
     if (inherited === undefined) server.listen(0, "127.0.0.1", ready);
     else server.listen(inherited, ready);
     process.on("SIGTERM", () => process.exit(0));`,
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("who asks while a role is started again waits, is refused by nobody, and is refused once all stops", async () => {
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const role = { name: "serve", args: [], env: async () => process.env, portVariable: "PORT", keepsListener: true };
  const supervisor = await supervise(entry, [role], silent);
  const url = supervisor.ready.get("serve")?.url ?? "";
  try {
    for (let fall = 0; fall < 2; fall += 1) {
      const before = supervisor.pidOf("serve") ?? 0;
      expect(await (await fetch(url, { headers: { connection: "close" } })).text()).toBe(String(before));
      process.kill(before, "SIGKILL");
      await expect.poll(() => isThere(before)).toBe(false);
      // Nobody accepts at this moment.
      const after = await (await fetch(url, { headers: { connection: "close" } })).text();
      expect(Number(after)).not.toBe(before);
      expect(Number(after)).toBe(supervisor.pidOf("serve"));
      await expect.poll(() => supervisor.ready.get("serve")?.url).toBe(url);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await supervisor.stop();
  }
  await expect(fetch(url)).rejects.toThrow();
}, 20_000);

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
