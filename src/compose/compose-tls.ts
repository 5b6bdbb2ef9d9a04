import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { ContinuumError } from "../core/error.ts";
import { localSecrets } from "../drivers/secrets/local/local-secrets.ts";
import type { TlsErrorCode, TlsSource } from "../surfaces/http/tls.ts";

/** A certificate and its key are written one after the other; read in between they would not fit together. */
const SETTLED_MS = 500;

/** The API's own certificate; undefined when it serves plain HTTP. */
export function composeTls({ tls }: Pick<Config, "tls">): TlsSource | undefined {
  const { certificate, key } = tls;
  if (certificate === undefined || key === undefined) return undefined;
  const certificateFile = resolve(certificate);
  const keyFile = key.startsWith("file:") ? resolve(key.slice("file:".length)) : undefined;
  const secrets = localSecrets({ environment: process.env });
  return {
    read: async () => ({
      certificate: await readCertificate(certificateFile),
      key: Buffer.from(await secrets.read(key)).toString("utf8"),
    }),
    watch: (changed) => watchFiles([certificateFile, ...(keyFile === undefined ? [] : [keyFile])], changed),
  };
}

async function readCertificate(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const code = String((cause as NodeJS.ErrnoException).code);
    throw new ContinuumError<TlsErrorCode>("bad-certificate", `cannot read tls.certificate, ${file} (${code})`, {
      cause,
    });
  }
}

/**
 * Folders are watched and not the files: a file that is replaced is another file, and in a mounted secret the folder's
 * link (`..data`) changes. What else happens in the folder is none of its business.
 */
function watchFiles(files: readonly string[], changed: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLED_MS);
  };
  const names = new Set(["..data", ...files.map((file) => basename(file))]);
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name === null || names.has(name)) soon();
    });
    watcher.on("error", () => watcher.close());
    watchers.push(watcher);
  }
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
