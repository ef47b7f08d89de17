/** Reports what works here, as data. @module */

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
import { checkObject } from "./options.ts";
import { describe } from "./sys/arguments.ts";
import { type FaultGuardState, faultGuardState } from "./memory/fault_guard/guard.ts";
import { libc } from "./sys/libc.ts";
import { probeTls, type TlsCapabilities, untriedTls } from "./tls/capabilities.ts";

export type { Limits, Mechanism, NetworkCapabilities, TlsCapabilities };
export type { NetworkInterface } from "./probe/network.ts";

/** Names of the mechanisms in {@linkcode Capabilities.mechanisms}. */
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

/** Options of {@linkcode capabilities}. */
export interface CapabilitiesOptions {
  /**
   * Folder whose file system `copyFileRange`, `reflink` and `directIo` are tried on. @default {"."}
   */
  readonly folder?: string;
}

/** Result of {@linkcode capabilities}: plain data, fit for JSON. */
export interface Capabilities {
  /** Whether sluice can make system calls. If not, it copies where it can, and throws elsewhere. */
  readonly supported: boolean;
  /** Why sluice cannot make system calls, and how to change that; `null` if it can. */
  readonly reason: string | null;
  /** Name and version of the runtime. */
  readonly runtime: { readonly name: string; readonly version: string };
  /** What calls foreign functions: `"koffi"`, `"node"`, `"bun"` or `"deno"`; `null` for nothing. */
  readonly backend: string | null;
  /** Operating system and processor, such as `"linux-x64"`. */
  readonly system: string;
  /** Kernel release; `null` if the system does not report one, or cannot be called. */
  readonly kernel: string | null;
  /** Name of the C library that was opened; `null` if none was found. */
  readonly libc: string | null;
  /** Functions that the C library lacks. Calls that need them throw `UnsupportedError`. */
  readonly missing: readonly string[];
  /** State of each mechanism, found by trying it; `unknown` without foreign calls. */
  readonly mechanisms: Readonly<Record<MechanismName, Mechanism>>;
  /** The TLS library for HTTPS servers, and whether the kernel encrypts for it. */
  readonly tls: TlsCapabilities;
  /** Limits of this process; `null` without foreign calls. */
  readonly limits: Limits | null;
  /** Network hardware; `null` without foreign calls. */
  readonly network: NetworkCapabilities | null;
  /** Whether sluice catches the fault when another process truncates a mapped file. */
  readonly faultGuard: FaultGuardState;
}

/**
 * Reports what works here, by trying it: whether system calls can be made and through which
 * backend, and which mechanisms the kernel, the file system and the limits of this process allow.
 *
 * The first call loads the backend, binds the C library and OpenSSL, and loads librdmacm if it is
 * installed, which takes up to 40 ms.
 * Each call takes a few milliseconds: it opens and closes descriptors, connects to itself over
 * loopback, and writes a few KiB into unnamed files in `folder`. It leaves nothing behind. It
 * caches nothing, because limits and kernel modules can change while the process runs.
 *
 * Never throws because the system refuses something. An answer that the permissions of the runtime
 * hide is `unknown` or `null`.
 *
 * @throws {TypeError} When `options` is not an object, or `folder` is not a string.
 *
 * @example Explain why files are copied
 * ```ts ignore
 * const { supported, reason, mechanisms } = capabilities();
 * if (!supported) console.warn(reason);
 * if (mechanisms.ktls.state !== "works") console.warn(mechanisms.ktls.remedy);
 * ```
 */
export function capabilities(options: CapabilitiesOptions = {}): Capabilities {
  checkObject(options, "report capabilities");
  const { folder = "." } = options;
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
