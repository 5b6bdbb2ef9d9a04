/** JSON pointers (RFC 6901): how findings, fixes and problems name a place in a plan. */

/** The pointer to `segments`; `""` is the whole document. */
export function toPointer(segments: readonly PropertyKey[]): string {
  return segments.map((segment) => `/${escapeSegment(String(segment))}`).join("");
}

/** The segments of a pointer, or undefined when it is not one. */
export function fromPointer(pointer: string): string[] | undefined {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function escapeSegment(segment: string): string {
  return segment.replaceAll("~", "~0").replaceAll("/", "~1");
}
