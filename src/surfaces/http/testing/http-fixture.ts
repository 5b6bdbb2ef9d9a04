import { Registry } from "prom-client";
import type { OperationName } from "../../../contract/operations.ts";
import { operations } from "../../../contract/operations.ts";
import { type ServiceFixture, serviceFixture } from "../../../service/testing/service-fixture.ts";
import { createHttpApp, type HttpAppOptions } from "../app.ts";
import { type Listening, serveHttp } from "../serve-http.ts";

/** The API behind a real port. */
export interface HttpFixture extends ServiceFixture {
  url: string;
  registry: Registry;
  logged: { event: string; facts: Record<string, string | number> }[];
  ask(path: string, how?: Ask): Promise<Answer>;
  /** One operation by its name, with the values of its path. */
  perform(name: OperationName, how?: Ask & { params?: Record<string, string>; query?: string }): Promise<Answer>;
}

export interface Ask {
  method?: string;
  /** Default: the admin's; null sends none. */
  token?: string | null;
  /** Sent as JSON; text and bytes as they are. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  body: Record<string, unknown>;
}

export async function httpFixture(options: Partial<HttpAppOptions> = {}): Promise<HttpFixture> {
  const on = await serviceFixture();
  const registry = new Registry();
  const logged: HttpFixture["logged"] = [];
  const log = (event: string, facts: Record<string, string | number>) => void logged.push({ event, facts });
  const shutdown = new AbortController();
  const app = createHttpApp(on.service, {
    ...{ version: "0.0.0-test", registry, log: { info: log, error: log }, shutdown: shutdown.signal },
    ...options,
  });
  const listening: Listening = await serveHttp(app, { host: "127.0.0.1", port: 0 });
  const { url } = listening;
  const ask: HttpFixture["ask"] = (path, how = {}) => send(url + path, on.adminToken, how);
  return {
    ...on,
    ...{ url, registry, logged, ask },
    perform: (name, how = {}) => {
      const { method, path } = operations[name];
      const filled = path.replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(how.params?.[key] ?? "none"));
      return ask(`${filled}${how.query === undefined ? "" : `?${how.query}`}`, { method, ...how });
    },
    close: async () => {
      shutdown.abort();
      await listening.close(500);
      await on.close();
    },
  };
}

async function send(url: string, adminToken: string, how: Ask): Promise<Answer> {
  const token = how.token === undefined ? adminToken : how.token;
  const raw = typeof how.body === "string" || how.body instanceof Uint8Array;
  const response = await fetch(url, {
    method: how.method ?? "GET",
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(how.body === undefined || raw ? {} : { "content-type": "application/json" }),
      ...how.headers,
    },
    ...(how.body === undefined ? {} : { body: raw ? (how.body as string) : JSON.stringify(how.body) }),
  });
  const text = await response.text();
  const isJson =
    response.headers.get("content-type")?.includes("json") && !response.headers.get("content-type")?.includes("ndjson");
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} };
}
