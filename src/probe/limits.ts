/** How much of everything this process may have. @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../sys/raw/mod.ts";
import { pipeLimits } from "./pipes.ts";
import { readProc } from "./proc.ts";

const INFINITY = 2n ** 64n - 1n;

/** Limits of this process; `null` stands for "as much as there is". */
export interface Limits {
  /** Bytes of a page of memory. */
  readonly pageSize: number;
  /** Bytes that a pipe holds when it is made. */
  readonly pipeCapacity: number;
  /** Bytes that a pipe of this process can be made to hold, of at most 16 MiB. */
  readonly largestPipe: number;
  /** Open descriptors, now (`ulimit -n`) and as far as the process may raise it. */
  readonly openFiles: { readonly soft: number | null; readonly hard: number | null };
  /** Bytes of locked memory, now (`ulimit -l`) and as far as the process may raise it. */
  readonly lockedMemory: { readonly soft: number | null; readonly hard: number | null };
  /** Reserved huge pages; `null` where the kernel does not tell. */
  readonly hugePages: number | null;
}

/** Asks for the limits. */
export function probeLimits(): Limits {
  const { capacity, largest } = pipeLimits();
  const reserved = readProc("/proc/sys/vm/nr_hugepages");
  return {
    pageSize: raw.pageSize(),
    pipeCapacity: capacity,
    largestPipe: largest,
    openFiles: limit(platform.resource.NOFILE),
    lockedMemory: limit(platform.resource.MEMLOCK),
    hugePages: reserved === undefined ? null : Number(reserved),
  };
}

function limit(resource: number): { soft: number | null; hard: number | null } {
  const out = new BigUint64Array(2);
  if (raw.getrlimit(resource, out) < 0) return { soft: 0, hard: 0 };
  const number = (value: bigint) => value === INFINITY ? null : Number(value);
  return { soft: number(out[0]!), hard: number(out[1]!) };
}
