/** Raw calls that only query: limits, network cards, kernel features. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { libc } from "../libc.ts";
import { syscall } from "./syscall.ts";

const padding: bigint[] = new Array(platform.variadicPadding).fill(0n);
/** Number of 64-bit fields in `struct rusage`. */
const USAGE_FIELDS = 18;
const usage = new Cell(USAGE_FIELDS * 8);
const limits = new Cell(16);
const local = new Cell(16);
const remote = new Cell(16);
const from = new Cell(8);
const to = new Cell(8);

/** Length of the name in `struct ifreq`, in bytes. */
const NAME = 16;
const request = new Cell(40);
const value = new Cell(8);

/** `LANDLOCK_CREATE_RULESET_VERSION` */
const VERSION = 1;

/** `getrlimit(resource, out)`: fills `out` with the soft and the hard limit; 0, or `-errno`. */
export function getrlimit(resource: number, out: BigUint64Array): number {
  const result = fold(libc().getrlimit(resource, limits.address));
  out[0] = limits.view.getBigUint64(0, true);
  out[1] = limits.view.getBigUint64(8, true);
  return result;
}

/**
 * `getrusage(RUSAGE_SELF, out)`: fills `out` with the 18 numbers of `struct rusage`, of all threads
 * of this process; 0, or `-errno`. The first four are seconds and microseconds of user and system
 * time; see getrusage(2) for the rest.
 */
export function getrusage(out: BigInt64Array): number {
  const result = fold(libc().getrusage(0, usage.address));
  for (let i = 0; i < USAGE_FIELDS; i++) out[i] = usage.view.getBigInt64(i * 8, true);
  return result;
}

/**
 * `ioctl(socket, SIOCETHTOOL)` with a `struct ethtool_value`: the value of an `ETHTOOL_G...`
 * command for the interface `name`, or `-errno`. See `include/uapi/linux/ethtool.h`.
 */
export function ethtool(socket: number, name: string, command: number): number {
  request.bytes.fill(0);
  request.bytes.set(new TextEncoder().encode(name).subarray(0, NAME - 1));
  request.view.setBigUint64(NAME, value.address, true);
  value.view.setUint32(0, command, true);
  value.view.setUint32(4, 0, true);
  const { SIOCETHTOOL } = platform.ioctl;
  const result = fold(libc().ioctl(socket, BigInt(SIOCETHTOOL), ...padding, request.address));
  return result < 0 ? result : value.view.getUint32(4, true);
}

/**
 * `landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)`: its version, or `-errno`.
 */
export function landlockVersion(): number {
  return syscall(platform.syscalls.landlock_create_ruleset, null, 0, VERSION);
}

/**
 * `process_vm_readv(pid, ...)` of 8 bytes of this process: tests whether one process may read the
 * memory of another. Bytes read, or `-errno`.
 */
export function processVmReadSelf(pid: number): number {
  for (const [iovec, target] of [[local, to], [remote, from]] as const) {
    iovec.view.setBigUint64(0, target.address, true);
    iovec.view.setBigUint64(8, 8n, true);
  }
  return fold(libc().process_vm_readv(pid, local.address, 1n, remote.address, 1n, 0n));
}
