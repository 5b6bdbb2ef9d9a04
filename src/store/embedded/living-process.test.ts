import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isAlive, markOf } from "./living-process.ts";

test("a process that runs is alive, and one that ended is not", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const mark = markOf(child.pid ?? 0);
  expect(isAlive(mark)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isAlive(mark)).toBe(false);
});

test("the number of another process says nothing", () => {
  expect(isAlive({ ...markOf(process.pid), startedAt: "1" })).toBe(process.platform !== "linux");
});

// Whoever looks between the end of a process and the moment its parent notices must not take it for a living one.
test.skipIf(process.platform !== "linux")(
  "a process that ended is dead, also while its parent has not looked",
  async () => {
    // The shell starts a process, becomes one that never looks after its children, and only then does the process end:
    // one that ends sooner is sometimes collected by the shell on its way.
    const shell = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = (await once(shell.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    try {
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "utf8"), { timeout: 10_000 }).toContain(") Z ");
      expect(isAlive(markOf(pid))).toBe(false);
    } finally {
      shell.kill("SIGKILL");
    }
  },
);
