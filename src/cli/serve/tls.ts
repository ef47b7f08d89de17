/** HTTPS from the command line: which certificate, and reading it again when it changes. @module */

import { unwatchFile, watchFile } from "node:fs";
import process from "node:process";
import type { FileServer, TlsOptions } from "../../http/mod.ts";
import { localCertificate } from "../../tls/certificate/local_certificate.ts";

/** The options of the command that are about HTTPS. */
export interface TlsFlags {
  readonly tls: boolean;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly redirectHttp?: number | undefined;
}

/** What the server is given, and a line for the user where there is something to know. */
export interface TlsChoice {
  readonly options: TlsOptions & { readonly cert: string; readonly key: string };
  readonly note: string | undefined;
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
    return { options: { cert: tlsCert, key: tlsKey, ...more }, note: undefined };
  }
  if (!tls) {
    if (redirectHttp === undefined) return undefined;
    throw new Error("Cannot redirect to HTTPS: give --tls, or --tls-cert and --tls-key");
  }
  const { cert, fingerprint, key } = localCertificate();
  const note =
    `Certificate ${cert} (SHA-256 ${fingerprint}); to trust it: curl --cacert ${cert}, or ` +
    "import it into your browser or system";
  return { options: { cert, key, ...more }, note };
}

/** Has the server read its certificate again when a file changes, or on SIGHUP; returns what ends that. */
export function reloadOnChange(
  server: FileServer,
  { cert, key }: TlsChoice["options"],
  failed: (error: Error) => void,
): () => void {
  const reload = () => void server.reload().catch(failed);
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
