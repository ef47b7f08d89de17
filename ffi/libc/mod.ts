/**
 * The functions of the C library that sluice calls, bound on first use, and the one place that
 * reads errno.
 *
 * @module
 */

import { backend } from "../mod.ts";
import { platform, supported, system } from "../platform/mod.ts";
import type { Backend, Bound, CType, Signature } from "../types.ts";
import { byNumber } from "./by_number.ts";
import { EVENTS } from "./events.ts";
import { FILES } from "./files.ts";
import { MEMORY } from "./memory.ts";
import { PIPES } from "./pipes.ts";
import { SIGNALS } from "./signals.ts";
import { SOCKETS } from "./sockets.ts";

type Table =
  & typeof FILES
  & typeof PIPES
  & typeof MEMORY
  & typeof EVENTS
  & typeof SIGNALS
  & typeof SOCKETS;
const TABLE: Table = { ...FILES, ...PIPES, ...MEMORY, ...EVENTS, ...SIGNALS, ...SOCKETS };

/** Signatures that the platform decides: see `Platform.variadicPadding`. */
const PADDING: CType[] = new Array(platform.variadicPadding).fill("u64");
const PLATFORM_TABLE: Record<string, Signature> = {
  // `int fcntl(int fd, int command, ...)`: the third is an integer in every command used here.
  fcntl: { args: ["i32", "i32", ...PADDING, "u64"], returns: "i32" },
  // `int ioctl(int fd, unsigned long request, ...)`: the third is an integer or an address.
  ioctl: { args: ["i32", "u64", ...PADDING, "u64"], returns: "i32" },
  // `int open(const char *path, int flags, ...)`: the third is the mode.
  open: { args: ["buffer", "i32", ...PADDING, "u32"], returns: "i32" },
  // `int openat(int dir, const char *path, int flags, ...)`: the fourth is the mode.
  openat: { args: ["i32", "buffer", "i32", ...PADDING.slice(1), "u32"], returns: "i32" },
  [platform.errnoSymbol]: { args: [], returns: "i64" },
};
if (platform.os === "darwin") {
  // `int sendfile(int file, int socket, off_t offset, off_t *length, struct sf_hdtr *, int flags)`
  const args: CType[] = ["i32", "i32", "i64", "address", "address", "i32"];
  PLATFORM_TABLE["sendfile"] = { args, returns: "i32" };
}

/** Bound functions. A function that the library lacks is there, and fails with `ENOSYS`. */
export type Libc = Bound<Table> & {
  readonly fcntl: (fd: number, command: number, ...rest: bigint[]) => number;
  readonly ioctl: (fd: number, request: bigint, ...rest: bigint[]) => number;
  readonly open: (path: Uint8Array, flags: number, ...rest: (bigint | number)[]) => number;
  readonly openat: (
    dir: number,
    path: Uint8Array,
    flags: number,
    ...rest: (bigint | number)[]
  ) => number;
};

interface Binding {
  readonly calls: Libc;
  readonly missing: ReadonlySet<string>;
  readonly library: string;
}

const ENOSYS = platform.errnoNames.indexOf("ENOSYS");

let binding: Binding | undefined;
// Of this thread: every Worker evaluates this module anew. Before binding it is never read.
let errnoCell: Int32Array = new Int32Array(1);

/** Returns the bound functions; binds on the first call, so that an import loads nothing. */
export function libc(): Libc {
  return (binding ??= bind()).calls;
}

/** Names of the functions that this C library lacks. */
export function missingSymbols(): ReadonlySet<string> {
  return (binding ??= bind()).missing;
}

/** The name under which the C library was found. */
export function libraryName(): string {
  return (binding ??= bind()).library;
}

/**
 * Folds the result of a call into the kernel's own convention: the count, or `-errno`.
 *
 * Wrap it around the call itself. Any other call on this thread may overwrite errno, and so may
 * an allocation.
 */
export function fold(result: number | bigint): number {
  const value = Number(result);
  return value === -1 ? -errnoCell[0]! : value;
}

/** Shows memory at `address`; see {@linkcode Backend.view}. */
export function view(address: bigint, length: number): Uint8Array<ArrayBuffer> {
  return backend().view(address, length);
}

/** Address of the first byte; see {@linkcode Backend.address}. */
export function addressOf(bytes: Uint8Array): bigint {
  return backend().address(bytes);
}

function bind(): Binding {
  if (!supported) {
    throw new Error(
      `Cannot make foreign calls on ${system}: sluice knows Linux and macOS on x64 and arm64`,
    );
  }
  const ffi = backend();
  const library = open(ffi);
  const table: Record<string, Signature> = { ...TABLE, ...PLATFORM_TABLE };
  const missing = new Set<string>();
  const calls = bindAll(ffi, library, table, missing);
  const address = BigInt(calls[platform.errnoSymbol]!() as number | bigint);
  // Mapped here and not on the first failure: making a view allocates.
  errnoCell = new Int32Array(ffi.view(address, 4).buffer, 0, 1);
  return { calls: calls as unknown as Libc, missing, library };
}

/** Finds the library by binding the one symbol that everything else needs. */
function open(ffi: Backend): string {
  const failures: unknown[] = [];
  for (const name of platform.libraries) {
    try {
      ffi.bind(name, { close: TABLE.close });
      return name;
    } catch (cause) {
      failures.push(cause);
    }
  }
  const tried = platform.libraries.join(", ");
  throw new AggregateError(
    failures,
    `Cannot open the C library: tried ${tried} (first failure: ${failures[0]})`,
    { cause: failures[0] },
  );
}

/** Functions by name, before their types are known. */
export type Calls = Record<string, (...args: never[]) => unknown>;

/**
 * Binds a table. A symbol that the library lacks is replaced by syscall(2) where it can be, and else
 * put into `missing` and fails with `ENOSYS`.
 */
export function bindAll(
  ffi: Backend,
  library: string,
  table: Record<string, Signature>,
  missing: Set<string>,
): Calls {
  try {
    return { ...ffi.bind(library, table) } as Calls;
  } catch {
    // A library that lacks one symbol refuses the whole table: one by one then, so that the
    // missing ones fail alone.
  }
  const calls: Calls = {};
  for (const [name, signature] of Object.entries(table)) {
    try {
      calls[name] = ffi.bind(library, { [name]: signature })[name] as Calls[string];
    } catch {
      const other = byNumber(ffi, library, name);
      if (other !== undefined) {
        calls[name] = other;
        continue;
      }
      missing.add(name);
      calls[name] = () => {
        errnoCell[0] = ENOSYS;
        return -1;
      };
    }
  }
  return calls;
}
