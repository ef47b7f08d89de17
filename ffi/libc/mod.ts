/**
 * The functions of the C library that sluice calls, bound on first use. Only this file reads errno.
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

/** Signatures that depend on the platform: see `Platform.variadicPadding`. */
const PADDING: CType[] = new Array(platform.variadicPadding).fill("u64");
const PLATFORM_TABLE: Record<string, Signature> = {
  // `int fcntl(int fd, int command, ...)`: the third argument is an integer in every command used
  // here.
  fcntl: { args: ["i32", "i32", ...PADDING, "u64"], returns: "i32" },
  // `int ioctl(int fd, unsigned long request, ...)`: the third argument is an integer or an
  // address.
  ioctl: { args: ["i32", "u64", ...PADDING, "u64"], returns: "i32" },
  // `int open(const char *path, int flags, ...)`: the third argument is the mode.
  open: { args: ["address", "i32", ...PADDING, "u32"], returns: "i32" },
  // `int openat(int dir, const char *path, int flags, ...)`: the fourth argument is the mode.
  openat: { args: ["i32", "address", "i32", ...PADDING.slice(1), "u32"], returns: "i32" },
  [platform.errnoSymbol]: { args: [], returns: "i64" },
};
if (platform.os === "darwin") {
  // `int sendfile(int file, int socket, off_t offset, off_t *length, struct sf_hdtr *, int flags)`
  const args: CType[] = ["i32", "i32", "i64", "address", "address", "i32"];
  PLATFORM_TABLE["sendfile"] = { args, returns: "i32" };
}

/** The bound functions. Functions that the library lacks are stubs that fail with `ENOSYS`. */
export type Libc = Bound<Table> & {
  readonly fcntl: (fd: number, command: number, ...rest: bigint[]) => number;
  readonly ioctl: (fd: number, request: bigint, ...rest: bigint[]) => number;
  readonly open: (path: bigint, flags: number, ...rest: (bigint | number)[]) => number;
  readonly openat: (
    dir: number,
    path: bigint,
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
// errno of this thread: every Worker evaluates this module anew. Not read before binding.
let errnoCell: Int32Array = new Int32Array(1);

/** Returns the bound functions. Binds them on the first call, so an import loads nothing. */
export function libc(): Libc {
  return (binding ??= bind()).calls;
}

/** Names of the functions that this C library lacks. */
export function missingSymbols(): ReadonlySet<string> {
  return (binding ??= bind()).missing;
}

/** Name under which the C library was found. */
export function libraryName(): string {
  return (binding ??= bind()).library;
}

/**
 * Turns the result of a call into the kernel's convention: the count, or `-errno`.
 *
 * Wrap it directly around the call. Any other call on this thread may overwrite errno, and so may
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
  // Map errno now, not after the first failure: creating a view allocates.
  errnoCell = new Int32Array(ffi.view(address, 4).buffer, 0, 1);
  return { calls: calls as unknown as Libc, missing, library };
}

/** Finds the library by binding the symbol that tells it. */
function open(ffi: Backend): string {
  const failures: unknown[] = [];
  for (const { name, symbol } of platform.libraries) {
    try {
      // It is not called, so its signature does not matter.
      ffi.bind(name, { [symbol]: TABLE.close });
      return name;
    } catch (cause) {
      failures.push(cause);
    }
  }
  const tried = platform.libraries.map(({ name }) => name).join(", ");
  throw new AggregateError(
    failures,
    `Cannot open the C library: tried ${tried} (first failure: ${failures[0]})`,
    { cause: failures[0] },
  );
}

/** Functions by name, without types. */
export type Calls = Record<string, (...args: never[]) => unknown>;

/**
 * Binds a table. If the library lacks a symbol, binds it through syscall(2) when possible.
 * Otherwise adds it to `missing`, and the function fails with `ENOSYS`.
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
    // If one symbol is missing, the backend rejects the whole table. Bind each symbol alone, so
    // that only the missing ones fail.
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
