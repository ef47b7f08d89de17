/** Raw calls on sockets. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { addressOf, fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { ownBytes, sizeOf } from "../../bytes.ts";
import { libc } from "../libc.ts";

const int = new Cell(4);
const option = new Cell(256);
/** Room for every kind of address: `struct sockaddr_storage`. */
const name = new Cell(128);
/** Filled by socketpair(2): the caller's array may be too short. */
const pair = new Int32Array(2);
const pairBytes = new Uint8Array(pair.buffer);
const length = new Cell(4);
/** Keeps the value of an option alive during the call: the collector ignores addresses. */
const held: { value: Uint8Array | null } = { value: null };

/** `socket(domain, type, protocol)`. */
export function socket(domain: number, type: number, protocol: number): number {
  return fold(libc().socket(domain, type, protocol));
}

/** `socketpair(domain, type, protocol, fds)`: fills `fds`. */
export function socketpair(
  domain: number,
  type: number,
  protocol: number,
  fds: Int32Array,
): number {
  const result = fold(libc().socketpair(domain, type, protocol, pairBytes));
  [fds[0], fds[1]] = pair as unknown as [number, number];
  return result;
}

/** `bind(fd, address, address.length)`; `address` is a `struct sockaddr`. */
export function bind(fd: number, address: Uint8Array): number {
  return fold(libc().bind(fd, address, sizeOf(address)));
}

/** `listen(fd, backlog)`. */
export function listen(fd: number, backlog: number): number {
  return fold(libc().listen(fd, backlog));
}

/** `accept4(fd, NULL, NULL, flags)`: the new descriptor, or `-errno`. */
export function accept4(fd: number, flags: number): number {
  return fold(libc().accept4(fd, 0n, 0n, flags));
}

/** `connect(fd, address, address.length)`; `address` is a `struct sockaddr`. */
export function connect(fd: number, address: Uint8Array): number {
  return fold(libc().connect(fd, address, sizeOf(address)));
}

/** `shutdown(fd, how)`. */
export function shutdown(fd: number, how: number): number {
  return fold(libc().shutdown(fd, how));
}

/** `getsockname(fd, target, &length)`: length of the address in bytes, or `-errno`. */
export function getsockname(fd: number, target: Uint8Array): number {
  length.view.setInt32(0, roomFor(target), true);
  return named(fold(libc().getsockname(fd, name.address, length.address)), target);
}

/** `getpeername(fd, target, &length)`: length of the address in bytes, or `-errno`. */
export function getpeername(fd: number, target: Uint8Array): number {
  length.view.setInt32(0, roomFor(target), true);
  return named(fold(libc().getpeername(fd, name.address, length.address)), target);
}

function roomFor(target: Uint8Array): number {
  return Math.min(sizeOf(target), name.bytes.length);
}

/** Copies an address that the kernel has stored. */
function named(result: number, target: Uint8Array): number {
  if (result < 0) return result;
  const stored = length.view.getInt32(0, true);
  target.set(name.bytes.subarray(0, Math.min(stored, roomFor(target))));
  return stored;
}

/** `getsockopt(fd, level, name, &int)`: stores the value in `out[0]`; 0, or `-errno`. */
export function getsockopt(fd: number, level: number, name: number, out: Int32Array): number {
  length.view.setInt32(0, 4, true);
  const result = fold(libc().getsockopt(fd, level, name, int.address, length.address));
  out[0] = int.view.getInt32(0, true);
  return result;
}

/**
 * `getsockopt(fd, level, name, target, &length)`, for values of up to 256 bytes: their length in bytes,
 * or `-errno`.
 */
export function getsockoptBytes(
  fd: number,
  level: number,
  name: number,
  target: Uint8Array,
): number {
  length.view.setInt32(0, Math.min(sizeOf(target), option.bytes.length), true);
  const result = fold(libc().getsockopt(fd, level, name, option.address, length.address));
  if (result < 0) return result;
  const stored = length.view.getInt32(0, true);
  target.set(option.bytes.subarray(0, stored));
  return stored;
}

/** `setsockopt(fd, level, name, &value, 4)`. */
export function setsockopt(fd: number, level: number, name: number, value: number): number {
  int.view.setInt32(0, value, true);
  return fold(libc().setsockopt(fd, level, name, int.address, 4));
}

/** `setsockopt(fd, level, name, value, value.length)`, for options that are not an int. */
export function setsockoptBytes(
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
): number {
  const bytes = ownBytes(value);
  held.value = bytes;
  const result = fold(
    libc().setsockopt(fd, level, name, bytes.length > 0 ? addressOf(bytes) : 0n, bytes.length),
  );
  held.value = null;
  return result;
}

/** `send(fd, source, source.length, flags)`. */
export function send(fd: number, source: Uint8Array, flags: number): number {
  return fold(libc().send(fd, source, BigInt(sizeOf(source)), flags));
}

/** `recv(fd, target, target.length, flags)`. */
export function recv(fd: number, target: Uint8Array, flags: number): number {
  return fold(libc().recv(fd, target, BigInt(sizeOf(target)), flags));
}

/**
 * `recv(fd, NULL, count, MSG_TRUNC | flags)`: bytes discarded inside the kernel, or `-errno`.
 *
 * TCP only: see tcp(7), "MSG_TRUNC".
 */
export function recvDiscard(fd: number, count: number, flags: number): number {
  return fold(libc().recv(fd, null, BigInt(count), platform.message.TRUNC | flags));
}
