/** HTTPS options of `sluice serve`: chooses and reloads the certificate. @module */

import { unwatchFile, watchFile } from "node:fs";
import process from "node:process";
import type { FileServer, TlsOptions } from "../../http/mod.ts";
import {
  type LocalCertificate,
  localCertificate,
} from "../../tls/certificate/local_certificate.ts";
import { usageError } from "../exit.ts";

/** HTTPS options of the command. */
export interface TlsFlags {
  readonly tls: boolean;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly redirectHttp?: number | undefined;
}

/** Options for the server, and the certificate if the command made one. */
export interface TlsChoice {
  readonly options: TlsOptions & { readonly cert: string; readonly key: string };
  readonly made: LocalCertificate | undefined;
}

/** Interval of checks of the files, in milliseconds. ACME certificates change every few weeks. */
const WATCH_MS = 5000;

/** Converts the flags; returns `undefined` for HTTP. */
export function tlsOf({ redirectHttp, tls, tlsCert, tlsKey }: TlsFlags): TlsChoice | undefined {
  const more = redirectHttp === undefined ? {} : { redirectPort: redirectHttp };
  if (tlsCert !== undefined || tlsKey !== undefined) {
    if (tlsCert === undefined || tlsKey === undefined) {
      throw usageError("Cannot serve HTTPS: give both --tls-cert and --tls-key");
    }
    return { options: { cert: tlsCert, key: tlsKey, ...more }, made: undefined };
  }
  if (!tls) {
    if (redirectHttp === undefined) return undefined;
    throw usageError("Cannot redirect to HTTPS: give --tls, or --tls-cert and --tls-key");
  }
  const made = localCertificate();
  const { cert, key } = made;
  return { options: { cert, key, ...more }, made };
}

/** Describes the certificate and how to trust it. */
export function howToTrust({ cert, fingerprint, made }: LocalCertificate): string {
  return [
    `Certificate ${cert}, ${made ? "made for this machine" : "made earlier"}`,
    `  SHA-256 ${fingerprint}`,
    `  To trust it: curl --cacert ${cert}, NODE_EXTRA_CA_CERTS=${cert}, or import it into your browser`,
  ].join("\n");
}

/**
 * Reloads the certificate when a file changes, or on SIGHUP; returns a function that stops this.
 */
export function reloadOnChange(
  server: FileServer,
  { cert, key }: TlsChoice["options"],
  { failed, reloaded }: { failed: (error: Error) => void; reloaded: () => void },
): () => void {
  const reload = () => void server.reload().then(reloaded, failed);
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Waits a little, because certificate and key are written one after the other.
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
