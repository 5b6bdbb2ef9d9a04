// The API as this page speaks it: JSON, the session's cookie, and the header that no other site's page can send.

/** What the API refused, in its own words (RFC 9457). */
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "The server did not say what is wrong.");
    this.name = "Problem";
    this.code = problem.code ?? "unknown";
    this.status = problem.status ?? 0;
  }
}

/** Errors: `Problem`. */
export async function call(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-continuum-csrf"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers,
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Problem({ detail: "The server cannot be reached.", code: "unreachable" });
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(answer);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);

/** All pages of a list. */
export async function all(path) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(`${path}?limit=200${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}
