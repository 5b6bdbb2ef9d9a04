import type { OperationOutput } from "../../contract/operations.ts";
import { shown } from "./printable.ts";
import { type Column, textTable } from "./text-table.ts";

type Diff = OperationOutput<"policy.diff">;
/** Offline there are no real plans to look at. */
type ShownDiff = Omit<Diff, "plans"> & Partial<Pick<Diff, "plans">>;

const CHANGES: readonly Column<Diff["changes"][number]>[] = [
  { heading: "CHANGE", value: ({ change }) => change },
  { heading: "POLICY", value: ({ id }) => id },
  { heading: "CLAUSE", value: ({ clause }) => clause },
];

const DATA: readonly Column<Diff["data"][number]>[] = [
  { heading: "SETTING", value: ({ name }) => name },
  { heading: "BEFORE", value: ({ before }) => shown(before) },
  { heading: "AFTER", value: ({ after }) => shown(after) },
];

const DECIDED = [
  { heading: "BEFORE", value: ({ before }: Decided) => before },
  { heading: "AFTER", value: ({ after }: Decided) => after },
  { heading: "NOW SPEAK", value: ({ gained }: Decided) => gained.join(", ") || null },
  { heading: "NO LONGER", value: ({ lost }: Decided) => lost.join(", ") || null },
];
type Decided = Pick<Diff["witnesses"][number], "before" | "after" | "gained" | "lost">;

const WITNESSES: readonly Column<Diff["witnesses"][number]>[] = [
  ...DECIDED,
  { heading: "WHEN", value: ({ when }) => when },
];

const PLANS: readonly Column<Diff["plans"]["changed"][number]>[] = [
  ...DECIDED,
  { heading: "ENDPOINT", value: ({ endpoint }) => endpoint },
  { heading: "ROLLOUT", value: ({ rollout }) => rollout },
];

/** What a change of policies changes, for people: policies, settings and prices, boundary cases, real plans. */
export function policyDiffText(diff: ShownDiff): string {
  const { plans } = diff;
  return [
    textTable(diff.changes, CHANGES, "the sets hold the same policies"),
    ...(diff.data.length === 0 ? [] : [textTable(diff.data, DATA, "")]),
    textTable(diff.witnesses, WITNESSES, "no decision changes"),
    `${diff.asked} of ${diff.possible} boundary cases were put to both sets\n`,
    ...(plans === undefined
      ? []
      : [
          textTable(plans.changed, PLANS, "no plan that was proposed lately is decided differently"),
          `${plans.looked} plans that were proposed lately were put to both sets\n`,
        ]),
  ].join("\n");
}
