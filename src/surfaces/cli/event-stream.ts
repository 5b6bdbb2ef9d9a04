/** One server-sent event. Source of the format: the HTML standard, "Interpreting an event stream". */
export interface ServerSentEvent {
  id: string | undefined;
  data: string;
}

/** A line longer than this is no event of ours. */
const LINE_CHARACTERS_MAX = 1024 * 1024;

/** Takes text as it comes, however it was cut, and gives the events that are complete. */
export function eventStreamParser(): (text: string) => ServerSentEvent[] {
  let rest = "";
  let id: string | undefined;
  let data: string[] = [];
  const takeLine = (line: string): ServerSentEvent | undefined => {
    if (line === "") {
      const event = data.length === 0 ? undefined : { id, data: data.join("\n") };
      data = [];
      return event;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    if (field === "id" && !value.includes("\0")) id = value;
    return undefined; // comments, and fields that are not used here
  };
  return (text) => {
    rest += text;
    const endsInsidePair = rest.endsWith("\r"); // its line feed may come with the next text
    const lines = (endsInsidePair ? rest.slice(0, -1) : rest).split(/\r\n|\n|\r/);
    rest = `${lines.pop() ?? ""}${endsInsidePair ? "\r" : ""}`;
    if (rest.length > LINE_CHARACTERS_MAX) throw new RangeError("an event stream's line is too long");
    return lines.map(takeLine).filter((event) => event !== undefined);
  };
}
