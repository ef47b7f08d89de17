/** What works here, as data. @module */

import { libraryName, missingSymbols } from "../ffi/libc/mod.ts";
import { backend, runtime } from "../ffi/mod.ts";
import { system } from "../ffi/platform/mod.ts";
import { type Mechanism, unknown } from "./probe/attempt.ts";
import { probeFiles } from "./probe/files.ts";
import { probeKernel } from "./probe/kernel.ts";
import { type Limits, probeLimits } from "./probe/limits.ts";
import { type NetworkCapabilities, probeNetwork } from "./probe/network.ts";
import { probePipes } from "./probe/pipes.ts";
import { readProc } from "./probe/proc.ts";
import { probeSockets } from "./probe/sockets.ts";
import { describe } from "./sys/arguments.ts";
import { type FaultGuardState, faultGuardState } from "./memory/fault_guard/guard.ts";
import { libc } from "./sys/libc.ts";
import { probeTls, type TlsCapabilities, untriedTls } from "./tls/capabilities.ts";

export type { Limits, Mechanism, NetworkCapabilities, TlsCapabilities };
export type { NetworkInterface } from "./probe/network.ts";

/** What {@linkcode Capabilities.mechanisms} tells of. */
export type MechanismName =
  | "sendfile"
  | "splice"
  | "tee"
  | "vmsplice"
  | "copyFileRange"
  | "reflink"
  | "directIo"
  | "ioUring"
  | "readNowait"
  | "cachestat"
  | "populate"
  | "memfd"
  | "lockedMemory"
  | "hugePages"
  | "transparentHugePages"
  | "processVmReadv"
  | "ktls"
  | "msgZerocopy"
  | "openat2"
  | "landlock";

const MECHANISMS: readonly MechanismName[] = [
  "sendfile",
  "splice",
  "tee",
  "vmsplice",
  "copyFileRange",
  "reflink",
  "directIo",
  "ioUring",
  "readNowait",
  "cachestat",
  "populate",
  "memfd",
  "lockedMemory",
  "hugePages",
  "transparentHugePages",
  "processVmReadv",
  "ktls",
  "msgZerocopy",
  "openat2",
  "landlock",
];

/** How {@linkcode capabilities} looks. */
export interface CapabilitiesOptions {
  /** Folder whose file system is tried for `copyFileRange`, `reflink` and `directIo`. @default {"."} */
  readonly folder?: string;
}

/** The answer of {@linkcode capabilities}; plain data, fit for JSON. */
export interface Capabilities {
  /** Whether the operating system can be called. Without it, what can be copied is copied. */
  readonly supported: boolean;
  /** Why it cannot, and what to do about it; `null` when it can. */
  readonly reason: string | null;
  /** The runtime, by its own name and version. */
  readonly runtime: { readonly name: string; readonly version: string };
  /** How foreign functions are called: `"koffi"`, `"node"`, `"bun"` or `"deno"`; `null` when they are not. */
  readonly backend: string | null;
  /** Operating system and processor, such as `"linux-x64"`. */
  readonly system: string;
  /** Release of the kernel; `null` where the system does not tell, or cannot be called. */
  readonly kernel: string | null;
  /** The C library, by the name under which it was found; `null` when none was. */
  readonly libc: string | null;
  /** Functions that this C library lacks; the calls that need them throw `UnsupportedError`. */
  readonly missing: readonly string[];
  /** Each mechanism, by trying it. Where nothing can be called, all are `unknown`. */
  readonly mechanisms: Readonly<Record<MechanismName, Mechanism>>;
  /** The TLS library that servers use for HTTPS, and whether the kernel encrypts for it. */
  readonly tls: TlsCapabilities;
  /** Limits of this process; `null` where nothing can be called. */
  readonly limits: Limits | null;
  /** The network hardware; `null` where nothing can be called. */
  readonly network: NetworkCapabilities | null;
  /** Whether a mapped file that somebody truncates is guarded against. */
  readonly faultGuard: FaultGuardState;
}

/**
 * Tells what works here, by trying it: whether, and by what, system calls can be made, and which
 * mechanisms the kernel, the file system and the limits of this process allow.
 *
 * The first call loads the backend and binds the C library and OpenSSL, which takes up to 40 ms. Each call opens
 * and closes some descriptors, connects to itself over loopback, and writes a few KiB into unnamed
 * files in `folder`; it takes a few milliseconds. Nothing is left behind and nothing is remembered:
 * limits and modules may change while the process runs.
 *
 * Never throws for what the system refuses. Without permissions of the runtime for it, an answer is
 * `unknown` or `null`.
 *
 * @throws {TypeError} When `folder` is not a string.
 *
 * @example Explain why files are copied
 * ```ts ignore
 * const { supported, reason, mechanisms } = capabilities();
 * if (!supported) console.warn(reason);
 * if (mechanisms.ktls.state !== "works") console.warn(mechanisms.ktls.remedy);
 * ```
 */
export function capabilities({ folder = "." }: CapabilitiesOptions = {}): Capabilities {
  if (typeof folder !== "string" || folder.includes("\0")) {
    throw new TypeError(`Cannot use ${describe(folder)} as folder: expected a path`);
  }
  const reason = refusal();
  const supported = reason === null;
  const mechanisms = supported ? probe(folder) : untried(reason);
  return {
    supported,
    reason,
    runtime: runtime(),
    backend: supported ? backend().name : null,
    system,
    kernel: (supported && readProc("/proc/sys/kernel/osrelease")?.trim()) || null,
    libc: supported ? libraryName() : null,
    missing: supported ? [...missingSymbols()] : [],
    mechanisms,
    tls: supported ? probeTls(mechanisms.ktls) : untriedTls(reason),
    limits: supported ? probeLimits() : null,
    network: supported ? probeNetwork() : null,
    faultGuard: supported
      ? faultGuardState()
      : { state: "unavailable", reason: "the system cannot be called" },
  };
}

function probe(folder: string): Record<MechanismName, Mechanism> {
  const found = { ...probePipes(), ...probeFiles(folder), ...probeKernel(), ...probeSockets() };
  return Object.fromEntries(MECHANISMS.map((name) => [name, found[name]])) as typeof found;
}

function untried(reason: string): Record<MechanismName, Mechanism> {
  const none = unknown("cannot be tried without foreign functions", reason);
  return Object.fromEntries(MECHANISMS.map((name) => [name, none])) as Record<
    MechanismName,
    Mechanism
  >;
}

function refusal(): string | null {
  try {
    libc();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
