/** Refusing system calls in this thread, by seccomp(2). @module */

import assert from "node:assert/strict";
import process from "node:process";
import { Cell } from "../../ffi/libc/cell.ts";
import { libc } from "../../ffi/libc/mod.ts";

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_GREATER = 0x25;
const RETURN = 0x06;
const ALLOW = 0x7fff_0000;
const REFUSE = 0x0005_0000;

/** One instruction of BPF: what, how many to skip if so and if not, and a number. */
type Instruction = readonly [code: number, yes: number, no: number, value: number];

const number = (x64: number, arm64: number): number => process.arch === "x64" ? x64 : arm64;

/** Makes memfd_create(2) fail with `EPERM`. */
export function refuseMemfd(): void {
  refuse(number(319, 279), 1);
}

/** Makes a system call, by its number, fail with an error, by its number. */
export function refuse(call: number, errno: number): void {
  install([
    [LOAD, 0, 0, 0],
    [IF_EQUAL, 0, 1, call],
    [RETURN, 0, 0, REFUSE | errno],
    [RETURN, 0, 0, ALLOW],
  ]);
}

/** Makes mmap(2) of 4 GiB and more without a file fail with `ENOMEM`, as strict overcommit does. */
export function refuseMuchMemory(): void {
  install([
    [LOAD, 0, 0, 0],
    [IF_EQUAL, 0, 5, number(9, 222)],
    [LOAD, 0, 0, 16 + 4 * 8],
    [IF_EQUAL, 0, 3, 0xffff_ffff],
    [LOAD, 0, 0, 16 + 8 + 4],
    [IF_GREATER, 0, 1, 0],
    [RETURN, 0, 0, REFUSE | 12],
    [RETURN, 0, 0, ALLOW],
  ]);
}

function install(instructions: readonly Instruction[]): void {
  const filter = new Cell(instructions.length * 8);
  instructions.forEach(([code, yes, no, value], index) => {
    filter.view.setUint16(index * 8, code, true);
    filter.view.setUint8(index * 8 + 2, yes);
    filter.view.setUint8(index * 8 + 3, no);
    filter.view.setUint32(index * 8 + 4, value, true);
  });
  const program = new Cell(16);
  program.view.setUint16(0, instructions.length, true);
  program.view.setBigUint64(8, filter.address, true);
  const prctl = BigInt(number(157, 167));
  const setNoNewPrivileges = 38n;
  const setSeccomp = 22n;
  libc().syscall(prctl, setNoNewPrivileges, 1n, 0n, 0n, 0n, 0n);
  const result = libc().syscall(prctl, setSeccomp, 2n, program.address, 0n, 0n, 0n);
  assert.equal(Number(result), 0);
}
