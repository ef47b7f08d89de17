/** HTTPS from the command line: which certificate, and reading it again when it changes. @module */

import { unwatchFile, watchFile } from "node:fs";
import process from "node:process";
import type { FileServer, TlsOptions } from "../../http/mod.ts";
import {
  type LocalCertificate,
  localCertificate,
} from "../../tls/certificate/local_certificate.ts";

/** The options of the command that are about HTTPS. */
export interface TlsFlags {
  readonly tls: boolean;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly redirectHttp?: number | undefined;
}

/** What the server is given, and the certificate where the command made it. */
export interface TlsChoice {
  readonly options: TlsOptions & { readonly cert: string; readonly key: string };
  readonly made: LocalCertificate | undefined;
}

/** How often the files are looked at, in milliseconds: those of ACME change every few weeks. */
const WATCH_MS = 5000;

/** What the flags ask for; `undefined` for HTTP. */
export function tlsOf({ redirectHttp, tls, tlsCert, tlsKey }: TlsFlags): TlsChoice | undefined {
  const more = redirectHttp === undefined ? {} : { redirectPort: redirectHttp };
  if (tlsCert !== undefined || tlsKey !== undefined) {
    if (tlsCert === undefined || tlsKey === undefined) {
      throw new Error("Cannot serve HTTPS: give both --tls-cert and --tls-key");
    }
    return { options: { cert: tlsCert, key: tlsKey, ...more }, made: undefined };
  }
  if (!tls) {
    if (redirectHttp === undefined) return undefined;
    throw new Error("Cannot redirect to HTTPS: give --tls, or --tls-cert and --tls-key");
  }
  const made = localCertificate();
  const { cert, key } = made;
  return { options: { cert, key, ...more }, made };
}

/** Which certificate it is, and how to trust it. */
export function howToTrust({ cert, fingerprint, made }: LocalCertificate): string {
  return [
    `Certificate ${cert}, ${made ? "made for this machine" : "made earlier"}`,
    `  SHA-256 ${fingerprint}`,
    `  To trust it: curl --cacert ${cert}, NODE_EXTRA_CA_CERTS=${cert}, or import it into your browser`,
  ].join("\n");
}

/** Reads the certificate again when a file changes, or on SIGHUP; returns a function that ends this. */
export function reloadOnChange(
  server: FileServer,
  { cert, key }: TlsChoice["options"],
  { failed, reloaded }: { failed: (error: Error) => void; reloaded: () => void },
): () => void {
  const reload = () => void server.reload().then(reloaded, failed);
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Certificate and key are written one after the other.
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(reload, 500);
  };
  for (const file of [cert, key]) {
    watchFile(file, { interval: WATCH_MS, persistent: false }, changed);
  }
  process.on("SIGHUP", reload);
  return () => {
    clearTimeout(timer);
    for (const file of [cert, key]) unwatchFile(file, changed);
    process.off("SIGHUP", reload);
  };
}
