/**
 * Filters the system calls of one thread. See seccomp(2).
 *
 * Internal: a filter is permanent, and also applies to the runtime's own calls in that thread.
 *
 * @module
 */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { fold } from "../../../../ffi/libc/mod.ts";
import { platform } from "../../../../ffi/platform/mod.ts";
import { libc } from "../../libc.ts";

/** Condition on one argument of a call. */
export interface ArgumentTest {
  /** Index of the argument, from 0. */
  readonly argument: number;
  /** Compares the upper 32 bits instead of the lower. @default {false} */
  readonly upper?: boolean;
  /** Bits to compare; all 32 by default. */
  readonly mask?: number;
  /** Expected 32 bits. */
  readonly value: number;
}

/** Rule for one system call. */
export interface CallRule {
  /** Number of the call. */
  readonly call: number;
  /** The call passes if all tests of one of these lists pass. */
  readonly allowed: readonly (readonly ArgumentTest[])[];
  /** Error of the call if it does not pass. */
  readonly errno: number;
}

/** One instruction: code, instructions to skip if true, if false, and an operand. */
type Instruction = readonly [code: number, yes: number, no: number, operand: number];

// include/uapi/linux/bpf_common.h and seccomp.h of the kernel.
const LOAD = 0x20;
const AND = 0x54;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const RETURN = 0x06;
const ALLOW = 0x7fff_0000;
const FAIL = 0x0005_0000;

// Offsets in `struct seccomp_data`. Both processors are little-endian.
const NUMBER = 0;
const ARCHITECTURE = 4;
const ARGUMENTS = 16;

// include/uapi/linux/audit.h of the kernel.
const AUDIT_ARCH = platform.arch === "x64" ? 0xc000_003e : 0xc000_00b7;
/** Higher numbers belong to the x32 ABI, which reports the architecture of x64. */
const X32 = 0x4000_0000;

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2n;
const INSTRUCTION_BYTES = 8;

/**
 * `prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)` for the calling thread; 0 or `-errno`:
 * `EINVAL` without CONFIG_SECCOMP_FILTER, `EACCES` without {@linkcode setNoNewPrivileges}.
 *
 * Calls without a rule pass. Calls of another ABI fail with `errno`.
 */
export function setCallFilter(rules: readonly CallRule[], errno: number): number {
  const refuse: Instruction = [RETURN, 0, 0, FAIL | errno];
  const instructions: readonly Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [IF_EQUAL, 1, 0, AUDIT_ARCH],
    refuse,
    [LOAD, 0, 0, NUMBER],
    [IF_AT_LEAST, 0, 1, X32],
    refuse,
    ...rules.flatMap(compile),
    [RETURN, 0, 0, ALLOW],
  ];
  const code = new Cell(instructions.length * INSTRUCTION_BYTES);
  instructions.forEach(([operation, yes, no, operand], index) => {
    const at = index * INSTRUCTION_BYTES;
    code.view.setUint16(at, operation, true);
    code.view.setUint8(at + 2, yes);
    code.view.setUint8(at + 3, no);
    code.view.setUint32(at + 4, operand, true);
  });
  const program = new Cell(16);
  program.view.setUint16(0, instructions.length, true);
  program.view.setBigUint64(8, code.address, true);
  return fold(libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program.address, 0n, 0n));
}

/** Compiles the instructions for one call. The accumulator holds the call's number before them. */
function compile({ allowed, call, errno }: CallRule): Instruction[] {
  const lists = allowed.flatMap((tests) => {
    const instructions: Instruction[] = [...tests.flatMap(compileTest), [RETURN, 0, 0, ALLOW]];
    // A failed test skips the rest of its list.
    return instructions.map(([code, yes, , operand], index): Instruction => {
      const no = code === IF_EQUAL ? instructions.length - index - 1 : 0;
      return [code, yes, no, operand];
    });
  });
  const body: Instruction[] = [...lists, [RETURN, 0, 0, FAIL | errno]];
  return [[IF_EQUAL, 0, body.length, call], ...body];
}

function compileTest({ argument, mask, upper = false, value }: ArgumentTest): Instruction[] {
  const load: Instruction = [LOAD, 0, 0, ARGUMENTS + argument * 8 + (upper ? 4 : 0)];
  const compare: Instruction = [IF_EQUAL, 0, 0, value];
  return mask === undefined ? [load, compare] : [load, [AND, 0, 0, mask], compare];
}
