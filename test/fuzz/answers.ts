import { checkLine, checkShown, holds, Violation } from "./violation.ts";

export interface Answer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** The status by code that the surface documents. */
export type ProblemTable = Readonly<Record<string, { status: number }>>;

/** The first answer of what came back over a connection; undefined for nothing at all. */
export function readAnswer(text: string): Answer | undefined {
  if (text === "") return undefined;
  const head = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(text);
  if (head === null) throw new Violation(`what came back is no HTTP: ${JSON.stringify(text.slice(0, 100))}`);
  const status = Number(head[1]);
  // Go on, said to who asked for it, is not yet the answer.
  if (status === 100) return readAnswer(text.slice(head[0].length));
  const lines = (head[2] ?? "").split("\r\n").filter((line) => line !== "");
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const rest = text.slice(head[0].length);
  if (headers.get("transfer-encoding") === "chunked") return { status, headers, body: unchunked(rest) };
  // What follows belongs to the answer to the next request on the connection.
  return { status, headers, body: rest.slice(0, Number(headers.get("content-length") ?? rest.length)) };
}

function unchunked(text: string): string {
  let body = "";
  for (let at = 0; ; ) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line < 0 || !(size > 0)) return body;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}

/**
 * What every answer keeps: no failure of ours, a refusal that is one problem with a code of the table and its status,
 * and nothing shown that is nobody's business. Answers the code, or the status of a success.
 */
export function checkAnswer(
  answer: Answer,
  { problems, secrets, mayFail }: { problems: ProblemTable; secrets: readonly string[]; mayFail: readonly string[] },
): string {
  const { status, headers, body } = answer;
  checkShown(body, secrets);
  if (status < 400) return String(status);
  if (headers.get("content-length") === "0" || body === "") {
    holds(status < 500, `an answer of ${status} says nothing`);
    return `${status} without a body`;
  }
  const type = headers.get("content-type") ?? "";
  holds(type.startsWith("application/problem+json"), `a refusal with ${status} of type ${type}: ${body.slice(0, 200)}`);
  const problem = JSON.parse(Buffer.from(body, "latin1").toString("utf8")) as Record<string, unknown>;
  const code = String(problem["code"]);
  const known = problems[code];
  holds(known !== undefined, `a code that nobody knows: ${code}`);
  holds(known.status === status && problem["status"] === status, `${code} came with the status ${status}`);
  checkLine(String(problem["detail"]), secrets);
  holds(status < 500 || mayFail.includes(code), `a failure of ours: ${status} ${code}: ${String(problem["detail"])}`);
  return code;
}
