import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { crashLine } from "./log-crashes.ts";

test("a crash is one line with the stacks of the error and its causes, scrubbed, and no other field of theirs", () => {
  const cause = Object.assign(new Error("duplicate key"), { detail: "Key (email)=(ada@example.com) exists" });
  const line = crashLine(new Error("could not tell grace@example.com", { cause }), { role: "api", atMs: 0 });
  expect(line.split("\n")).toHaveLength(2);
  const said = JSON.parse(line);
  expect(said).toMatchObject({ level: 60, time: "1970-01-01T00:00:00.000Z", role: "api", msg: "crashed" });
  expect(said.stack).toMatch(
    /^Error: could not tell \[email\]\n[\s\S]*log-crashes\.test\.ts[\s\S]*caused by Error: duplicate key/,
  );
  expect(line).not.toContain("@example.com");
  expect(JSON.parse(crashLine("thrown text of ada@example.com", { role: "api", atMs: 0 })).stack).toBe(
    "thrown text of [email]",
  );
});

test("a process that an error ends says it by that line, and with the exit code of any other", () => {
  const file = fileURLToPath(new URL("./log-crashes.ts", import.meta.url));
  const program = `const { logCrashes } = await import(${JSON.stringify(file)}); logCrashes("worker");
    setTimeout(() => { throw Object.assign(new Error("lost ada@example.com"), { detail: "secret of ada" }); }, 1);`;
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  expect(status).toBe(1);
  const lines = stderr.split("\n").filter((line) => line !== "");
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    role: "worker",
    msg: "crashed",
    stack: expect.stringContaining("lost [email]"),
  });
  expect(stderr).not.toContain("ada");
});
