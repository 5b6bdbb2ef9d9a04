import { type ServerResponse, STATUS_CODES } from "node:http";

/** What a version, or the router in its name, answers an invocation with. */
export interface Answer {
  status: number;
  contentType: string;
  body: Buffer;
}

export interface AnswerHead {
  /** `name: value` lines, each with its end, that the answering version puts into every answer. */
  versionLines: string;
  requestId: string;
  keepAliveSeconds: number;
}

const JOINED_BYTES_MAX = 16 * 1024;
const LINE_END = "\r\n";

/**
 * Sends the answer to an invocation. Where the connection simply goes on, which is nearly always, head and body leave
 * as one text in one system call, and the HTTP server is told that the response is done: its own way of collecting,
 * checking and joining headers takes longer than all else that the router does with an answer, and these headers are
 * ours. Every other case (an older protocol, a caller that closes, answers that wait for one before them) goes its way.
 */
export function sendAnswer(response: ServerResponse, answer: Answer, head: AnswerHead): void {
  const { socket, req } = response;
  if (socket !== null && response.shouldKeepAlive && req.httpVersionMajor === 1 && req.httpVersionMinor === 1) {
    const text = headText(answer, head);
    // As latin1 the bytes of the body stay what they are.
    if (answer.body.byteLength <= JOINED_BYTES_MAX) socket.write(text + answer.body.toString("latin1"), "latin1");
    else {
      socket.cork();
      socket.write(text, "latin1");
      socket.write(answer.body);
      socket.uncork();
    }
    response.emit("finish");
    return;
  }
  const lines = head.versionLines.split(LINE_END).filter((line) => line !== "");
  response.writeHead(answer.status, [
    ...lines.flatMap((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
    ...["content-type", answer.contentType, "content-length", String(answer.body.byteLength)],
    ...["x-request-id", head.requestId, ...(answer.status === 503 ? ["retry-after", "1"] : [])],
  ]);
  response.end(answer.body);
}

function headText({ status, contentType, body }: Answer, head: AnswerHead): string {
  const retry = status === 503 ? "retry-after: 1\r\n" : "";
  return (
    `${statusLine(status)}content-type: ${contentType}\r\ncontent-length: ${body.byteLength}\r\n${head.versionLines}` +
    `x-request-id: ${head.requestId}\r\n${retry}Date: ${httpDate()}\r\nConnection: keep-alive\r\n` +
    `Keep-Alive: timeout=${head.keepAliveSeconds}\r\n\r\n`
  );
}

function statusLine(status: number): string {
  return status === 200 ? "HTTP/1.1 200 OK\r\n" : `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
}

let dateText = "";
let dateSecond = 0;

/** The time as HTTP writes it, made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
