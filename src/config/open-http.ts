import { isLoopback } from "./client-settings.ts";
import type { Config } from "./schema.ts";

/** A setting under which tokens would cross the network in clear. */
export interface OpenHttp {
  setting: "api.host" | "serving.host";
  message: string;
}

/** Where plain HTTP would be served to others than this host, and nobody allowed it. Both ports take tokens. */
export function openHttp({ api, serving, tls }: Config): OpenHttp[] {
  if (api.allowInsecureHttp) return [];
  const listening = [
    ...(tls.certificate === undefined ? [{ setting: "api.host", host: api.host } as const] : []),
    { setting: "serving.host", host: serving.host },
  ] as const;
  return listening
    .filter(({ host }) => !isLoopback(host) && host !== "::1")
    .map(({ setting, host }) => ({
      setting,
      message:
        `Refusing to serve plain HTTP on ${host} (${setting}): tokens would cross the network in clear. ` +
        "Listen on 127.0.0.1, set tls.certificate and tls.key for the API, or set api.allowInsecureHttp when TLS ends in front of it.",
    }));
}
