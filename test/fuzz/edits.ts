import fc from "fast-check";

/**
 * JSON values that began as something valid: a member is taken away, renamed, doubled, moved, or becomes something that
 * nobody expects. `pool` names values that are valid somewhere, so that many of the results are too.
 */
export function edited(bases: readonly unknown[], pool: readonly unknown[] = []): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom<unknown>(...HOSTILE) },
    ...(pool.length > 0 ? [{ weight: 6, arbitrary: fc.constantFrom<unknown>(...pool) }] : []),
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  );
  const edit = fc.record({ kind: fc.nat(9), at: fc.nat(2 ** 30), value, key: fc.constantFrom(...KEYS) });
  return fc.tuple(fc.nat(bases.length - 1), fc.array(edit, { maxLength: 4 })).map(([base, edits]) => {
    const holder = { root: structuredClone(bases[base]) };
    for (const one of edits) apply(holder, one);
    return holder.root;
  });
}

interface Edit {
  kind: number;
  at: number;
  value: unknown;
  key: string;
}

function apply(holder: { root: unknown }, { kind, at, value: given, key }: Edit): void {
  const value = structuredClone(given);
  const places: { parent: Record<string, unknown> | unknown[]; key: string }[] = [];
  collect(holder, places);
  const place = places[at % places.length];
  if (place === undefined) return;
  const parent = place.parent as Record<string, unknown>;
  if (kind === 0 && !Array.isArray(place.parent)) delete parent[place.key];
  else if (kind === 1) add(parent[place.key], key, value);
  else if (kind === 2) parent[place.key] = [parent[place.key], value];
  else if (kind === 3) parent[place.key] = { [key]: parent[place.key] };
  else parent[place.key] = value;
}

function add(into: unknown, key: string, value: unknown): void {
  if (Array.isArray(into)) into.push(value);
  else if (typeof into === "object" && into !== null)
    // As a reader of JSON makes it: `__proto__` becomes a member like any other.
    Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
}

function collect(at: unknown, places: { parent: Record<string, unknown> | unknown[]; key: string }[]): void {
  if (typeof at !== "object" || at === null) return;
  for (const [key, inner] of Object.entries(at)) {
    places.push({ parent: at as Record<string, unknown>, key });
    if (places.length < 500) collect(inner, places);
  }
}

/** The same value with every mapping's keys in another order. */
export function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reordered(inner)]),
  );
}

const KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "",
  "a",
  "spec",
  "name",
  "\u0000",
  "\ud800",
  "é",
  "a".repeat(300),
];

const HOSTILE: readonly unknown[] = [
  ...["", " ", "\u0000", "\ud800", "\u202e", "\u001b]0;x\u0007", "a".repeat(65), "a".repeat(5000), "__proto__", "null"],
  ...["../../etc/passwd", "/dev/zero", "file:/dev/zero", "https://[::1]/", "1; DROP TABLE rollouts", "%00", "😀"],
  ...[0, -0, -1, 1, 1.5, 1e-7, 1e21, 1e308, 2 ** 31, 2 ** 53, -(2 ** 53), Number.MIN_VALUE, 4e38],
  ...[null, true, false, [], {}, [[]], [{}], { a: null }, [null], [1, "a"], Array(100).fill(0)],
];
