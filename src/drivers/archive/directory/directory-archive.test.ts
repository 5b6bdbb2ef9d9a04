import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveConformance, newOrigin, submissionOf } from "../archive.conformance.ts";
import { directoryArchive } from "./directory-archive.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "continuum-archive-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

archiveConformance("in a directory", async () => {
  const own = await mkdtemp(join(tmpdir(), "continuum-archive-"));
  const close = () => rm(own, { recursive: true, force: true });
  return { archive: directoryArchive({ root: own }), witnessKeys: [], close };
});

describe("a directory of checkpoints", () => {
  test("holds the note under its size, for reading only, and nothing else", async () => {
    const origin = newOrigin();
    const submission = submissionOf(origin, 42);
    await Promise.all(Array.from({ length: 5 }, () => directoryArchive({ root }).publish(submission)));
    const folder = join(root, origin);
    expect(await readdir(folder)).toEqual(["0000000000000042.checkpoint"]);
    const file = join(folder, "0000000000000042.checkpoint");
    expect(await readFile(file)).toEqual(submission.note);
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o222).toBe(0);
  });

  test("never takes what was changed there for what was published", async () => {
    const origin = newOrigin();
    const archive = directoryArchive({ root });
    await archive.publish(submissionOf(origin, 7));
    const file = join(root, origin, "0000000000000007.checkpoint");
    await chmod(file, 0o644);
    await writeFile(file, "nothing");
    await expect(archive.publish(submissionOf(origin, 7))).rejects.toMatchObject({ code: "archive-conflict" });
    expect((await archive.newest(origin))?.note.toString()).toBe("nothing");
  });

  test("says that it cannot be reached when its folder is a file", async () => {
    const file = join(root, "file");
    await writeFile(file, "");
    const archive = directoryArchive({ root: file });
    const unavailable = { code: "archive-unavailable", retryable: true };
    await expect(archive.publish(submissionOf(newOrigin(), 1))).rejects.toMatchObject(unavailable);
    await expect(archive.newest(newOrigin())).rejects.toMatchObject(unavailable);
  });

  test.each(["../../etc", "continuum/0123456789abcdef/../../x", "continuum/0123456789abcdef/a/b", ""])(
    "makes no folder of the name %j",
    async (origin) => {
      const archive = directoryArchive({ root });
      await expect(archive.publish(submissionOf(origin, 1))).rejects.toMatchObject({ code: "archive-refused" });
      await expect(archive.newest(origin)).rejects.toMatchObject({ code: "archive-refused" });
    },
  );
});
