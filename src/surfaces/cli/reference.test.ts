import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { COMMAND_GROUPS } from "./specs/command-groups.ts";
import { commandReference } from "./testing/command-reference.ts";

const PAGE = fileURLToPath(new URL("../../../docs/reference/cli.md", import.meta.url));

test("the page of commands is what the command tree says; `npx vitest run -u` writes it anew", async () => {
  const page = commandReference();
  for (const { path } of COMMAND_GROUPS.flatMap((group) => group.commands)) expect(page).toContain(`\n## ${path}\n`);
  await expect(page).toMatchFileSnapshot(PAGE);
});
