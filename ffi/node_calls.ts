/**
 * Calls of `node:ffi` that V8 compiles into the code around them.
 *
 * Node.js 26.10 puts a wrapper around each function that takes an integer or a buffer. All functions
 * with the same number of arguments share its code, so V8 compiles no fast call into it. A function
 * with two or more arguments that are all pointers has no wrapper. Integers travel in the registers
 * of pointers, so the functions here are bound like that. The conversion of a number to a bigint
 * disappears when V8 compiles it. Node.js 26.12 puts its wrapper around these, too: there, node.ts
 * binds them like all others.
 *
 * Each function is written out: functions made by one line of code would share its feedback, and V8
 * would again compile no fast call.
 *
 * A call that fails at once, such as recvfrom(2) on a closed descriptor, takes 120 ns instead of
 * 400 ns, of which the system call is about 90 ns; with koffi, 180 ns (2026-11-29).
 *
 * @module
 */

/** A function that takes only pointers. */
type Raw = (...args: bigint[]) => unknown;

/** The values of a call, by their C types. */
type Wrapped = (...args: never[]) => unknown;

/** The register that holds an integer. */
function word(value: number | bigint): bigint {
  return BigInt.asUintN(64, BigInt(value));
}

/** An argument that the function does not have, and does not see. */
const SURPLUS = 0n;

/**
 * The frequent functions by name. Functions with one argument take a surplus one: Node.js gives
 * functions with one pointer a wrapper, too.
 */
export const CALLS: Readonly<Record<string, (call: Raw) => Wrapped>> = {
  close: (call) => (fd: number) => call(word(fd), SURPLUS),
  epoll_ctl: (call) => (set: number, op: number, fd: number, event: bigint) =>
    call(word(set), word(op), word(fd), event),
  epoll_wait: (call) => (set: number, events: bigint, max: number, ms: number) =>
    call(word(set), events, word(max), word(ms)),
  accept4: (call) => (fd: number, address: bigint, length: bigint, flags: number) =>
    call(word(fd), address, length, word(flags)),
  setsockopt: (call) =>
  (
    fd: number,
    level: number,
    name: number,
    value: bigint,
    length: number,
  ) => call(word(fd), word(level), word(name), value, word(length)),
  getpeername: (call) => (fd: number, address: bigint, length: bigint) =>
    call(word(fd), address, length),
  sendto: (call) =>
  (
    fd: number,
    bytes: bigint,
    count: bigint,
    flags: number,
    address: bigint,
    length: number,
  ) => call(word(fd), bytes, count, word(flags), address, word(length)),
  recvfrom: (call) =>
  (
    fd: number,
    bytes: bigint,
    count: bigint,
    flags: number,
    address: bigint,
    length: bigint,
  ) => call(word(fd), bytes, count, word(flags), address, length),
  sendfile: (call) => (out: number, from: number, offset: bigint, count: bigint) =>
    call(word(out), word(from), offset, count),
  splice: (call) =>
  (
    from: number,
    fromOffset: bigint,
    out: number,
    outOffset: bigint,
    count: bigint,
    flags: number,
  ) => call(word(from), fromOffset, word(out), outOffset, count, word(flags)),
  tee: (call) => (from: number, out: number, count: bigint, flags: number) =>
    call(word(from), word(out), count, word(flags)),
  copy_file_range: (call) =>
  (
    from: number,
    fromOffset: bigint,
    out: number,
    outOffset: bigint,
    count: bigint,
    flags: number,
  ) => call(word(from), fromOffset, word(out), outOffset, count, word(flags)),
  preadv2: (call) => (fd: number, list: bigint, pieces: number, offset: bigint, flags: number) =>
    call(word(fd), list, word(pieces), word(offset), word(flags)),
  pwritev2: (call) => (fd: number, list: bigint, pieces: number, offset: bigint, flags: number) =>
    call(word(fd), list, word(pieces), word(offset), word(flags)),
  statx: (call) => (dir: number, path: bigint, flags: number, mask: number, out: bigint) =>
    call(word(dir), path, word(flags), word(mask), out),
  SSL_do_handshake: (call) => (ssl: bigint) => call(ssl, SURPLUS),
  SSL_pending: (call) => (ssl: bigint) => call(ssl, SURPLUS),
  SSL_get_error: (call) => (ssl: bigint, result: number) => call(ssl, word(result)),
  SSL_read: (call) => (ssl: bigint, bytes: bigint, count: number) => call(ssl, bytes, word(count)),
  SSL_write: (call) => (ssl: bigint, bytes: bigint, count: number) => call(ssl, bytes, word(count)),
  BIO_read: (call) => (bio: bigint, bytes: bigint, count: number) => call(bio, bytes, word(count)),
  BIO_write: (call) => (bio: bigint, bytes: bigint, count: number) => call(bio, bytes, word(count)),
};
