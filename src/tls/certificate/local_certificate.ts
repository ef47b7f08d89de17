/**
 * A certificate of this machine for development, created once and kept in the user's data folder.
 * @module
 */

import { builtin } from "../../builtins.ts";
import { selfSigned } from "./self_signed.ts";

/** A stored certificate. */
export interface LocalCertificate {
  /** Path of the certificate. */
  readonly cert: string;
  /** Path of the private key, which only its owner can read. */
  readonly key: string;
  /** SHA-256 of the certificate, as browsers show it: pairs of hexadecimal digits with colons. */
  readonly fingerprint: string;
  /** Whether it was created by this call. */
  readonly made: boolean;
}

/** Validity in days. Browsers reject public ones above 398, Apple above 825. */
const DAYS = 365;

/** Remaining validity below which it is replaced, in milliseconds. */
const LEAST_LEFT_MS = 7 * 86_400_000;

/**
 * Returns a certificate for `localhost` and the addresses of this machine. Reuses the stored one if
 * it is valid for another week and has these names.
 *
 * @param folder Where to store it. @default the folder `sluice` in `$XDG_DATA_HOME` or
 * `~/.local/share`
 */
export function localCertificate(
  folder: string = dataFolder(),
  names: readonly string[] = localNames(),
): LocalCertificate {
  const fs = builtin("fs");
  const { join } = builtin("path");
  const [cert, key] = [join(folder, "localhost.pem"), join(folder, "localhost.key")];
  const kept = read(cert, key, names);
  if (kept !== undefined) return { cert, key, fingerprint: kept, made: false };
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const made = selfSigned(names, DAYS);
  // Another process may do the same at once: replace whole files, the key first.
  replace(key, made.key, 0o600);
  replace(cert, made.cert, 0o644);
  return { cert, key, fingerprint: fingerprintOf(made.cert), made: true };
}

function replace(path: string, text: string, mode: number): void {
  const fs = builtin("fs");
  const temporary = `${path}.${builtin("process").pid}`;
  try {
    fs.writeFileSync(temporary, text, { mode, flag: "wx" });
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** Fingerprint of a stored certificate that is still usable; else `undefined`. */
function read(cert: string, key: string, names: readonly string[]): string | undefined {
  const fs = builtin("fs");
  try {
    const { X509Certificate, createPrivateKey } = builtin("crypto");
    const text = fs.readFileSync(cert, "utf8");
    const certificate = new X509Certificate(text);
    const covers = names.every((name) =>
      certificate.checkHost(name) !== undefined || certificate.checkIP(name) !== undefined
    );
    const left = Date.parse(certificate.validTo) - Date.now();
    const fits = certificate.checkPrivateKey(createPrivateKey(fs.readFileSync(key, "utf8")));
    return covers && fits && left > LEAST_LEFT_MS ? fingerprintOf(text) : undefined;
  } catch {
    // Missing, damaged or not readable: create a new one.
    return undefined;
  }
}

function fingerprintOf(pem: string): string {
  const base64 = pem.replace(/-----[A-Z ]+-----|\s/g, "");
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const hex = builtin("crypto").createHash("sha256").update(bytes).digest("hex");
  return hex.toUpperCase().match(/../g)!.join(":");
}

/** `localhost`, the loopback addresses, the name of this machine, and its other addresses. */
export function localNames(): string[] {
  const { hostname, networkInterfaces } = builtin("os");
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
    // A link-local IPv6 address is useless without the name of the interface.
    .filter(({ address, internal }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
  const names = ["localhost", "127.0.0.1", "::1", ...addresses];
  const own = hostname().toLowerCase();
  if (/^[a-z0-9.-]{1,253}$/.test(own)) names.push(own);
  return [...new Set(names)];
}

function dataFolder(): string {
  const { join } = builtin("path");
  const { homedir } = builtin("os");
  const data = builtin("process").env["XDG_DATA_HOME"];
  // XDG base directories: a relative path must be ignored.
  const base = data?.startsWith("/") ? data : join(homedir(), ".local", "share");
  return join(base, "sluice");
}
