import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

// A page that was renamed, or a heading that was said better, takes every link to it along unnoticed.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGES = globSync(["*.md", "docs/**/*.md", "examples/**/*.md"], { cwd: ROOT }).map((page) => join(ROOT, page));

const withoutCode = (page: string) => readFileSync(page, "utf8").replace(/^```.*?^```/gms, "");

/** As GitHub names headings: lower case, hyphens for spaces, and no other signs. */
function anchorsOf(page: string): Set<string> {
  const headings = [...withoutCode(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_\s-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function brokenLinks(page: string): string[] {
  const links = [...withoutCode(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), path);
    if (!existsSync(target)) return true;
    return anchor !== undefined && target.endsWith(".md") && !anchorsOf(target).has(anchor);
  });
}

test("every link of the documents leads to a file and a heading that are there", () => {
  expect(PAGES.length).toBeGreaterThan(50);
  const broken = PAGES.flatMap((page) => brokenLinks(page).map((link) => `${relative(ROOT, page)}: ${link}`));
  expect(broken).toEqual([]);
});

test("every guide stands in the list of guides, and every decision in that of decisions", () => {
  for (const folder of ["docs/guides", "docs/adr"]) {
    const list = readFileSync(join(ROOT, folder, "README.md"), "utf8");
    const pages = globSync("*.md", { cwd: join(ROOT, folder) }).filter((page) => page !== "README.md");
    expect(pages.filter((page) => !list.includes(`](${page})`))).toEqual([]);
  }
});
