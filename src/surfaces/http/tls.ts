import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Server } from "node:https";
import { createSecureContext } from "node:tls";
import { ContinuumError } from "../../core/error.ts";

/** A certificate with those above it, and its private key, both as PEM. */
export interface TlsMaterial {
  certificate: string;
  key: string;
}

/** Where the certificate comes from; it is replaced while the program runs, every few weeks as a rule. */
export interface TlsSource {
  read(): Promise<TlsMaterial>;
  /** Calls `changed` when there may be another one; answers how to stop. */
  watch(changed: () => void): () => void;
}

export type TlsErrorCode = "bad-certificate";

export interface TlsLog {
  info(event: string, facts: Record<string, string | number>): void;
  error(event: string, facts: Record<string, string | number>): void;
}

/** What is wrong with a certificate is said before a client finds it out. Errors: `bad-certificate`. */
export function checkedMaterial(material: TlsMaterial, nowMs: number): TlsMaterial & { validUntil: Date } {
  const bad = (what: string, cause?: unknown) =>
    new ContinuumError<TlsErrorCode>("bad-certificate", `tls.certificate or tls.key: ${what}`, { cause });
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(material.certificate);
  } catch (cause) {
    throw bad("the certificate cannot be read; it must be PEM, the API's own first", cause);
  }
  let fits: boolean;
  try {
    fits = leaf.checkPrivateKey(createPrivateKey(material.key));
  } catch (cause) {
    throw bad("the key cannot be read; it must be an unencrypted private key as PEM", cause);
  }
  if (!fits) throw bad("the key is another certificate's");
  if (leaf.validToDate.getTime() <= nowMs)
    throw bad(`the certificate has been over since ${leaf.validToDate.toISOString()}`);
  // Whatever else is wrong OpenSSL says now, and not at the first connection.
  try {
    createSecureContext(contextOf(material));
  } catch (cause) {
    throw bad("they cannot be used for TLS", cause);
  }
  return { ...material, validUntil: leaf.validToDate };
}

export function contextOf({ certificate, key }: TlsMaterial): { cert: string; key: string; minVersion: "TLSv1.2" } {
  return { cert: certificate, key, minVersion: "TLSv1.2" };
}

/** Takes a newer certificate over for the connections to come. One that is wrong is told of, and the old one stays. */
export function keepCertificate(
  server: Server,
  options: { source: TlsSource; first: TlsMaterial; log: TlsLog; nowMs: () => number },
): () => void {
  const { source, log, nowMs } = options;
  let held = options.first;
  let reading = Promise.resolve();
  const renew = async () => {
    try {
      const read = await source.read();
      if (read.certificate === held.certificate && read.key === held.key) return;
      const material = checkedMaterial(read, nowMs());
      server.setSecureContext(contextOf(material));
      held = read;
      log.info("tls-certificate-taken", { reason: `valid until ${material.validUntil.toISOString()}` });
    } catch (error) {
      const reason = error instanceof ContinuumError ? error.message : "it cannot be read";
      log.error("tls-certificate-refused", { reason });
    }
  };
  return source.watch(() => {
    reading = reading.then(renew);
  });
}
