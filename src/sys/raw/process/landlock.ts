/**
 * Landlock: a thread restricts itself. See landlock(7).
 *
 * Internal: the caller must know what else runs in the thread.
 *
 * @module
 */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { fold } from "../../../../ffi/libc/mod.ts";
import { platform } from "../../../../ffi/platform/mod.ts";
import { libc } from "../../libc.ts";
import { syscall } from "../syscall.ts";

/** Rights to files: bits of `LANDLOCK_ACCESS_FS_*`. */
export const LandlockFile = {
  WRITE_FILE: 2,
  READ_FILE: 4,
  READ_DIR: 8,
  REMOVE_FILE: 0x20,
  MAKE_REG: 0x100,
  REFER: 0x2000,
} as const;

/** Rights to ports: bits of `LANDLOCK_ACCESS_NET_*`. */
export const LandlockPort = { BIND_TCP: 1, CONNECT_TCP: 2 } as const;

/** Other restrictions: bits of `LANDLOCK_SCOPE_*`. */
export const LandlockScope = { ABSTRACT_UNIX_SOCKET: 1, SIGNAL: 2 } as const;

const PR_SET_NO_NEW_PRIVS = 38;
const RULE_PATH_BENEATH = 1;
const RULE_NET_PORT = 2;

const rule = new Cell(16);
const attributes = new Cell(24);

/**
 * `landlock_create_ruleset({ files, ports, scopes }, size, 0)`: a descriptor, or `-errno`.
 *
 * @param size Length of the structure in this version of Landlock: 8, 16 or 24 bytes.
 */
export function landlockCreateRuleset(
  files: number,
  ports: number,
  scopes: number,
  size: number,
): number {
  attributes.view.setBigUint64(0, BigInt(files), true);
  attributes.view.setBigUint64(8, BigInt(ports), true);
  attributes.view.setBigUint64(16, BigInt(scopes), true);
  return syscall(platform.syscalls.landlock_create_ruleset, attributes.address, size, 0);
}

/**
 * `landlock_add_rule(ruleset, LANDLOCK_RULE_PATH_BENEATH, { rights, folder }, 0)`: 0 or `-errno`.
 */
export function landlockAllowFolder(ruleset: number, folder: number, rights: number): number {
  // The structure is packed into 12 bytes.
  rule.view.setBigUint64(0, BigInt(rights), true);
  rule.view.setInt32(8, folder, true);
  const { landlock_add_rule } = platform.syscalls;
  return syscall(landlock_add_rule, ruleset, RULE_PATH_BENEATH, rule.address, 0);
}

/** `landlock_add_rule(ruleset, LANDLOCK_RULE_NET_PORT, { rights, port }, 0)`: 0 or `-errno`. */
export function landlockAllowPort(ruleset: number, port: number, rights: number): number {
  rule.view.setBigUint64(0, BigInt(rights), true);
  rule.view.setBigUint64(8, BigInt(port), true);
  const { landlock_add_rule } = platform.syscalls;
  return syscall(landlock_add_rule, ruleset, RULE_NET_PORT, rule.address, 0);
}

/**
 * `landlock_restrict_self(ruleset, 0)`: restricts the calling thread permanently; 0 or `-errno`.
 */
export function landlockRestrictSelf(ruleset: number): number {
  return syscall(platform.syscalls.landlock_restrict_self, ruleset, 0);
}

/** `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)`: permanent for the calling thread; 0 or `-errno`. */
export function setNoNewPrivileges(): number {
  return fold(libc().prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
}
