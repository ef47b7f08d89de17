/**
 * Installs the fault guard once per process, and finds it again in other threads.
 *
 * The code lies in a sealed memfd that is mapped readable and executable and was never writable.
 * Its table follows it. Neither is ever unmapped, because the handler may run at any moment. Faults
 * outside the watched ranges go to the previous SIGBUS handler.
 *
 * @module
 */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold, view } from "../../../ffi/libc/mod.ts";
import { setting } from "../../../ffi/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { builtin } from "../../builtins.ts";
import { check } from "../../sys/check.ts";
import { sealedCode } from "../../sys/code_file.ts";
import { libc } from "../../sys/libc.ts";
import { MapFlag, Protection } from "../../sys/flags/memory.ts";
import { copyFrom, mapOver } from "../../sys/raw/fixed.ts";
import * as raw from "../../sys/raw/mod.ts";
import { addressIn, type Region } from "../../sys/region.ts";
import { guardCode, SIGNATURE_LENGTH, TABLE_OFFSET } from "./code.ts";
import { Table, TABLE_LENGTH } from "./table.ts";

const SIGBUS = 7;
// struct sigaction, the same in glibc and musl on both processors: handler, 128 bytes of mask, flags.
const ACTION_LENGTH = 152;
const ACTION_FLAGS = 136;
const SA_SIGINFO = 4;
const SA_ONSTACK = 0x0800_0000;
const SA_RESTART = 0x1000_0000;
const SA_NODEFER = 0x4000_0000;

/** State of the protection against truncated files in this process. */
export interface FaultGuardState {
  /**
   * `"active"`; `"idle"` until the first file is mapped; `"off"` by `SLUICE_FAULT_GUARD`;
   * `"replaced"` when a handler installed later receives the signal; `"unavailable"`.
   */
  readonly state: "active" | "idle" | "off" | "replaced" | "unavailable";
  /** Why the guard is not active, and the remedy; `null` when it is active or idle. */
  readonly reason: string | null;
}

interface Guard {
  readonly table: Table;
  readonly handler: bigint;
}

let guard: Guard | undefined;
let refusal: FaultGuardState | undefined;

/** Returns the table. The first call in a thread finds the guard or installs it. */
export function faultGuard(): Table | undefined {
  if (guard !== undefined || refusal !== undefined) return guard?.table;
  refusal = forbidden();
  if (refusal !== undefined) return undefined;
  try {
    return (guard = install()).table;
  } catch (error) {
    refusal = {
      state: "unavailable",
      reason: `the system refuses executable memory: ${(error as Error).message}; truncation is ` +
        "noticed by read(), readInto() and flush() only",
    };
    return undefined;
  }
}

/** Reports whether truncation is guarded against. Installs nothing. */
export function faultGuardState(): FaultGuardState {
  const known = refusal ?? forbidden();
  if (known !== undefined) return known;
  if (guard === undefined) return { state: "idle", reason: null };
  if (inCharge(guard.handler)) return { state: "active", reason: null };
  return {
    state: "replaced",
    reason: "another SIGBUS handler was installed after the first file was mapped",
  };
}

function forbidden(): FaultGuardState | undefined {
  if (setting("SLUICE_FAULT_GUARD") === "off") {
    return { state: "off", reason: "SLUICE_FAULT_GUARD=off turns it off; unset it" };
  }
  if (platform.os !== "linux") {
    return { state: "unavailable", reason: "the fault guard supports Linux only" };
  }
  return undefined;
}

function install(): Guard {
  const code = guardCode(platform.arch);
  const before = currentAction();
  const handler = before.view.getBigUint64(0, true);
  const found = tableOf(handler, code);
  if (found !== undefined) return { table: found, handler };
  const region = build(code);
  const table = new Table(show(addressIn(region, TABLE_OFFSET, TABLE_LENGTH)));
  const mine = addressIn(region, SIGNATURE_LENGTH, 0);
  const action = new Cell(ACTION_LENGTH);
  action.bytes.set(before.bytes);
  action.view.setBigUint64(0, mine, true);
  const flags = before.view.getInt32(ACTION_FLAGS, true);
  // With SA_RESTART, a SIGBUS that was sent from outside and is ignored interrupts no call.
  action.view.setInt32(
    ACTION_FLAGS,
    SA_SIGINFO | SA_ONSTACK | SA_RESTART | (flags & SA_NODEFER),
    true,
  );
  // Set this first: another thread may get the signal right after the exchange.
  table.setPrevious(handler, flags);
  const replaced = new Cell(ACTION_LENGTH);
  sigaction(action.address, replaced.address);
  table.setPrevious(
    replaced.view.getBigUint64(0, true),
    replaced.view.getInt32(ACTION_FLAGS, true),
  );
  return { table, handler: mine };
}

/** Code and table in one region: 64 KiB, a multiple of every page size, then the rows. */
function build(code: Uint8Array): Region {
  const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.NORESERVE;
  const region = check(
    raw.mmap(TABLE_OFFSET + TABLE_LENGTH, Protection.READ | Protection.WRITE, flags, -1, 0),
    "mmap",
    () => "reserve memory for the fault guard",
  );
  let fd = -1;
  try {
    fd = sealedCode("sluice-fault-guard", code, TABLE_OFFSET, "the fault guard");
    const protection = Protection.READ | Protection.EXEC;
    check(
      mapOver(region, 0, TABLE_OFFSET, protection, MapFlag.SHARED, fd, 0),
      "mmap",
      () => "map the code of the fault guard",
    );
    return region;
  } catch (error) {
    raw.munmap(region);
    throw error;
  } finally {
    if (fd >= 0) raw.close(fd);
  }
}

/** Table of the guard that owns this handler; `undefined` for another build or another handler. */
function tableOf(handler: bigint, code: Uint8Array): Table | undefined {
  return isGuard(handler, code) ? new Table(show(tableAt(handler))) : undefined;
}

function isGuard(handler: bigint, code: Uint8Array): boolean {
  if (handler < BigInt(TABLE_OFFSET)) return false;
  const there = new Uint8Array(code.length);
  const count = copyFrom(builtin("process").pid, handler - BigInt(SIGNATURE_LENGTH), there);
  return count === code.length && there.every((byte, index) => byte === code[index]);
}

/** Whether the signal reaches our handler, directly or through guards of other threads. */
function inCharge(mine: bigint): boolean {
  const code = guardCode(platform.arch);
  const previous = new Cell(8);
  let handler = currentAction().view.getBigUint64(0, true);
  for (let depth = 0; depth < 64; depth++) {
    if (handler === mine) return true;
    if (!isGuard(handler, code)) return false;
    if (copyFrom(builtin("process").pid, tableAt(handler), previous.bytes) !== 8) return false;
    handler = previous.view.getBigUint64(0, true);
  }
  return false;
}

function tableAt(handler: bigint): bigint {
  return handler - BigInt(SIGNATURE_LENGTH) + BigInt(TABLE_OFFSET);
}

function show(address: bigint): ArrayBuffer {
  return view(address, TABLE_LENGTH).buffer;
}

function currentAction(): Cell {
  const action = new Cell(ACTION_LENGTH);
  sigaction(0n, action.address);
  return action;
}

function sigaction(act: bigint, old: bigint): void {
  check(fold(libc().sigaction(SIGBUS, act, old)), "sigaction", () => "handle SIGBUS");
}
