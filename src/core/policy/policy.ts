import type { ContextForm } from "./attributes.ts";
import type { EvidenceKind, Level, Obligation } from "./decision.ts";
import type { ReachableReads } from "./reachable-reads.ts";
import type { WhatIf } from "./what-if.ts";

/** A file of a policy set: where it stands below the set's folder, with forward slashes, and what it holds. */
export interface PolicyFile {
  path: string;
  text: string;
}

/** How a denial can be repaired; the joint fix knows what each word means. */
export const FIXES = [
  "cheapest-type",
  "nearest-type",
  "priced-type",
  "count-at-least",
  "count-that-fits",
  "add-members",
  "set",
] as const;
export type Fix = (typeof FIXES)[number];

/** What an obligation asks for, before it is known whether it was met. */
export type Due =
  | Pick<Extract<Obligation, { kind: "approval" }>, "kind" | "role" | "mfa" | "signed">
  | { kind: "evidence"; of: EvidenceKind }
  | { kind: "snapshot" };

/** One Cedar policy with what its annotations say of it. */
export interface Policy {
  id: string;
  /** The clause it speaks for: `@clause`, else its id. */
  clause: string;
  level: Level;
  reason: string;
  document: "agentops" | "continuum" | "own";
  section: string;
  path: string | null;
  /** The attribute of the context that was looked at. */
  observed: string | null;
  limit: Limit | null;
  fix: Fix | null;
  due: Due | null;
  /** Who discharges it, when nobody outside the program has to. */
  discharged: string | null;
  owner: "shipped" | "own";
  file: string;
  /** Line of the file where it begins, from 1. */
  line: number;
  /** When it is checked, in words. */
  gates: string;
  /** Attributes of the context that its condition reads. */
  reads: ReadonlySet<string>;
  /** Numbers, strings and enumeration values that its condition compares them with. */
  literals: ReadonlySet<unknown>;
  /** What it means, without the names and notes around it: two policies with the same meaning differ in nothing else. */
  meaning: string;
  /** For searches that ask about many plans; undefined when only Cedar can tell. */
  whatIf: WhatIf | undefined;
  /** Its Cedar text, as the file has it. */
  text: string;
}

/** A limit written in the annotation, or read from the context of each question. */
export type Limit =
  | { kind: "value"; value: number | boolean | string | string[] }
  | { kind: "attribute"; name: string };

/** A set that was checked and handed to Cedar. */
export interface PolicySet {
  /** `sha256:` over the canonical list of files that decide: Cedar, schema, settings, prices. */
  digest: string;
  policies: ReadonlyMap<string, Policy>;
  files: readonly PolicyFile[];
  /** The name under which Cedar holds the parsed set. */
  handle: string;
  /** How Cedar holds the set's enumerations, and so how they are asked about. */
  form: ContextForm;
  /** By environment, what some policy could read there. */
  reads: ReachableReads;
}
