import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { walkFolder } from "./walk-folder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "continuum-walk-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const walk = (ignored: string[] = []) => walkFolder(folder, { name: "the model", ignored });
const write = (path: string, text: string) => {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
};

describe("a walk through a folder", () => {
  it("answers every file with its digest and size, in the order of the bytes of the paths", async () => {
    const large = "x".repeat(3 * 1024 * 1024 + 1);
    for (const [path, text] of [
      ["b/2", "two"],
      ["b.txt", large],
      ["a", ""],
      ["ü", "u"],
      ["B", "upper"],
    ] as const)
      write(path, text);
    mkdirSync(join(folder, "empty"));
    const files = await walk();
    expect(files.map(({ path }) => path)).toEqual(["B", "a", "b.txt", "b/2", "ü"]);
    const digest = `sha256:${createHash("sha256").update(large).digest("hex")}`;
    expect(files[2]).toEqual({ path: "b.txt", digest, sizeBytes: large.length });
  });

  it("leaves out what it was told to, and only that", async () => {
    for (const path of [".git/config", ".gitignore", "sub/.git/config", "model.sig", "model.sig.onnx"])
      write(path, "x");
    const files = await walk([".git", "model.sig"]);
    expect(files.map(({ path }) => path)).toEqual([".gitignore", "model.sig.onnx", "sub/.git/config"]);
    expect((await walk([join(folder, "model.sig"), ".git"])).length).toBe(3);
  });

  it("refuses links, wherever they lead", async () => {
    write("a", "x");
    for (const target of ["a", "/etc/passwd", "nowhere", "."]) {
      symlinkSync(target, join(folder, "link"));
      await expect(walk()).rejects.toMatchObject({
        message: expect.stringContaining("a symbolic link, link in the model"),
      });
      rmSync(join(folder, "link"));
    }
  });

  it.skipIf(process.platform === "win32")(
    "refuses what is neither a file nor a folder, without waiting for it",
    async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
      await expect(walk()).rejects.toMatchObject({ message: expect.stringContaining("no ordinary file, socket in") });
      await new Promise((resolve) => server.close(resolve));
    },
  );

  it("refuses names that programs read differently, and a folder with nothing in it", async () => {
    await expect(walk()).rejects.toMatchObject({ message: expect.stringContaining("nothing in it") });
    write("a\nb", "x");
    await expect(walk()).rejects.toMatchObject({ message: expect.stringContaining("control character") });
    rmSync(join(folder, "a\nb"));
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), "x");
    await expect(walk()).rejects.toMatchObject({ message: expect.stringContaining("not UTF-8") });
  });

  it("says which folder is not there", async () => {
    await expect(walkFolder(join(folder, "no"), { name: "no", ignored: [] })).rejects.toMatchObject({
      message: expect.stringContaining("no such file"),
    });
  });
});
