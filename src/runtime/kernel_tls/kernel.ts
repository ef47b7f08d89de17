/** Calls of kernel TLS: see the kernel's documentation, networking/tls. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { callNumber } from "../../sys/raw/process/call_numbers.ts";
import * as raw from "../../sys/raw/mod.ts";
import { syscall } from "../../sys/raw/syscall.ts";
import { SOL_TCP } from "../tcp.ts";

const SOL_TLS = 282;
const TLS_TX = 1;
const TLS_SET_RECORD_TYPE = 1;
const ALERT = 21;
/** Level "warning", description "close_notify". */
const CLOSE_NOTIFY = [1, 0] as const;

/**
 * Has the kernel encrypt what is written to a connection from now on.
 *
 * @returns 0, or `-errno`. The connection then still sends what it is given.
 */
export function encrypt(fd: number, cryptoInfo: Uint8Array): number {
  const name = new TextEncoder().encode("tls");
  const added = raw.setsockoptBytes(fd, SOL_TCP, platform.socket.TCP_ULP, name);
  return added < 0 ? added : raw.setsockoptBytes(fd, SOL_TLS, TLS_TX, cryptoInfo);
}

/** Offsets in one piece of memory: `struct msghdr`, `struct iovec`, `struct cmsghdr`, the alert. */
const IOVEC = 56;
const CONTROL = IOVEC + 16;
const CONTROL_BYTES = 24;
const DATA = CONTROL + CONTROL_BYTES;
const message = new Cell(DATA + CLOSE_NOTIFY.length);

/** Sends the alert that ends a connection in order. Does not wait: 0 or more, or `-errno`. */
export function sendCloseNotify(fd: number): number {
  const { address, bytes, view } = message;
  view.setBigUint64(16, address + BigInt(IOVEC), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(32, address + BigInt(CONTROL), true);
  view.setBigUint64(40, BigInt(CONTROL_BYTES), true);
  view.setBigUint64(IOVEC, address + BigInt(DATA), true);
  view.setBigUint64(IOVEC + 8, BigInt(CLOSE_NOTIFY.length), true);
  // CMSG_LEN(1), the level, the type, and one byte.
  view.setBigUint64(CONTROL, 17n, true);
  view.setInt32(CONTROL + 8, SOL_TLS, true);
  view.setInt32(CONTROL + 12, TLS_SET_RECORD_TYPE, true);
  bytes[CONTROL + 16] = ALERT;
  bytes.set(CLOSE_NOTIFY, DATA);
  const { DONTWAIT, NOSIGNAL } = platform.message;
  return syscall(callNumber("sendmsg"), fd, address, DONTWAIT | NOSIGNAL);
}
