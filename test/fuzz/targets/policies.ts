import fc from "fast-check";
import { readPolicyFiles, shippedPolicyFolder } from "../../../src/config/policy-files.ts";
import type { Parsed } from "../../../src/core/error.ts";
import { parseTable } from "../../../src/core/policy/decision-table.ts";
import { checkPolicySet } from "../../../src/core/policy/load-policy-set.ts";
import { parseBases, runTable } from "../../../src/core/policy/run-table.ts";
import { parseSettings } from "../../../src/core/policy/settings.ts";
import { parsePriceTable } from "../../../src/core/pricing/price-table.ts";
import { loadOfflinePolicy } from "../../../src/surfaces/cli/offline-policy.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { grown, mostly, mutated } from "../mutations.ts";
import { checkLine, holds, Violation } from "../violation.ts";

const OWN_POLICY = `@id("OWN-1")
@level("deny")
@reason("Ours runs {observed} instances, at most {limit}")
@source("own#house")
@path("/spec/compute/instanceCount")
@observed("instanceCount")
@limit("4")
forbid (principal, action in Action::"deploy", resource)
when { context.instanceCount > 4 };
`;

const CEDAR_WORDS = [
  ...["@id(", '@level("approval")', '@limit("{}")', '@fix("nearest-type")', "permit", "forbid", "when {", "unless {"],
  ...["context", "principal", "?principal", "has", 'like "*"', ".containsAny([", 'ip("::1")', 'decimal("1.0")'],
  ...["9223372036854775808", "-9223372036854775808", "if true then", "==", "&&", "||", "!", "in [", "is T"],
];
const CEDAR_LARGE = [
  ...[
    "(",
    "!",
    "-",
    "[",
    "{",
    "true && ",
    "1 + ",
    "if true then ",
    "context.",
    "a.b",
    '@aN("x") ',
    "//c\n",
    '"',
    "\\u{41}",
  ],
  ...[
    "forbid(principal, action, resource);\n",
    "forbid(principal,action,resource) when {",
    "[[",
    "{a:",
    "has a",
    "::A",
    "\n",
  ],
];

/** A condition of one construct within itself. */
const nestedPolicy = fc
  .record({
    around: fc.constantFrom<[string, string]>(
      ...(
        [
          ["(", ")"],
          ["!", ""],
          ["!(", ")"],
          ["true && ", ""],
          ["(true || ", ")"],
          ["context.instanceCount > 1 && ", ""],
        ] as const
      ).map(([before, after]): [string, string] => [before, after]),
      ...(
        [
          ["if true then ", " else false"],
          ["[", "].contains(true)"],
          ["{a: ", "}.a"],
          ["1 + 1 == 2 || ", ""],
        ] as const
      ).map(([before, after]): [string, string] => [before, after]),
    ),
    bits: fc.double({ min: 0, max: 14, noNaN: true }),
  })
  .map(({ around: [before, after], bits }): Uint8Array => {
    const times = Math.floor(2 ** bits);
    const condition = `${before.repeat(times)}true${after.repeat(times)}`;
    return Buffer.from(OWN_POLICY.replace("context.instanceCount > 4", condition));
  });

/** A user's own Cedar file beside the base permit and the schema. */
export const policyFiles: FuzzTarget = {
  name: "policy-cedar",
  share: 5,
  open: async () => {
    const shipped = readPolicyFiles(shippedPolicyFolder());
    const ground = shipped.filter(({ path }) => path === "schema.cedarschema" || path === "base.cedar");
    const cedar = shipped
      .filter(({ path }) => path.endsWith(".cedar") && path !== "base.cedar")
      .map(({ text }) => text);
    return openTarget({
      inputs: mostly(
        mutated([OWN_POLICY, ...cedar.flatMap(onePolicyEach)], CEDAR_WORDS),
        fc.oneof(grown(CEDAR_LARGE, 100_000), nestedPolicy),
        20,
      ),
      bytesOf: (bytes) => bytes.length,
      // Cedar compiles a set when it is taken; one name for all, for its binding cannot forget.
      floorMs: 1000,
      feed(bytes) {
        const text = Buffer.from(bytes).toString("utf8");
        const { set, problems } = checkPolicySet([...ground, { path: "own/rules.cedar", text }], "sha256:fuzz");
        for (const { path, message } of problems) {
          checkLine(message);
          holds(/^\d+: /.test(message) || path === "base.cedar", `a problem without a line: ${message}`);
        }
        holds((set === undefined) === problems.length > 0, "a set with problems was taken, or one without was not");
        return set === undefined ? "refused" : "taken";
      },
    });
  },
};

/** Settings, prices, base plans and decision tables. */
export const policyTables: FuzzTarget = {
  name: "policy-tables",
  share: 40,
  open: async () => {
    const shipped = readPolicyFiles(shippedPolicyFolder());
    const policy = loadOfflinePolicy({ shipped });
    const textOf = (path: string) => shipped.find((file) => file.path === path)?.text ?? "";
    const bases = parseBases(textOf("bases.yaml"));
    if (!bases.ok) throw new Error(bases.problem.message);
    const readers: Record<string, (text: string) => Parsed<unknown>> = {
      settings: parseSettings,
      prices: parsePriceTable,
      bases: parseBases,
      table: (text) => {
        const table = parseTable({ path: "tables/own.yaml", text });
        if (!table.ok) return table;
        const results = runTable({ ...policy, bases: bases.value }, table.value);
        for (const { problems } of results) for (const problem of problems) checkTold(problem);
        return table;
      },
    };
    const corpus: Record<string, string[]> = {
      settings: [textOf("settings.json")],
      prices: [textOf("prices.json")],
      bases: [textOf("bases.yaml")],
      table: [TABLE],
    };
    const kinds = Object.entries(corpus).map(([kind, texts]) =>
      fc.record({
        kind: fc.constant(kind),
        bytes: mutated(texts, ["cases:\n", "facts: {}\n", "spec: {}\n", "offline: true\n"]),
      }),
    );
    return openTarget({
      inputs: fc.oneof(...kinds),
      bytesOf: ({ bytes }) => bytes.length,
      feed({ kind, bytes }) {
        const parsed = readers[kind]?.(Buffer.from(bytes).toString("utf8"));
        if (parsed === undefined) throw new Violation(`no reader of ${kind}`);
        if (!parsed.ok) checkLine(parsed.problem.message);
        return parsed.ok ? "taken" : `malformed ${kind}`;
      },
    });
  },
};

/** A table's problems show the decision as it was, which a terminal's table makes printable. */
function checkTold(problem: string): void {
  checkLine(problem.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "").slice(0, 3000));
}

function onePolicyEach(text: string): string[] {
  return text
    .split(/(?=^@id\()/m)
    .filter((part) => part.startsWith("@id("))
    .slice(0, 4);
}

const TABLE = `table: ours
cases:
  - name: small
    environment: development
    expect: { decision: allow }
  - name: many
    environment: production
    spec: { compute: { instanceCount: 5 } }
    labels: { team: growth }
    gate: propose
    facts: { principal: agent, environmentUsdPerHour: 3.5, breaker: open }
    expect: { decision: deny, deny: [AO-5], observed: { AO-5: 3 } }
`;
