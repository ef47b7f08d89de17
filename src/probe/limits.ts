/** Reads the limits of this process. @module */

import { platform } from "../../ffi/platform/mod.ts";
import * as raw from "../sys/raw/mod.ts";
import { pipeLimits } from "./pipes.ts";
import { readProc } from "./proc.ts";

const INFINITY = 2n ** 64n - 1n;

/** Limits of this process; `null` means unlimited. */
export interface Limits {
  /** Bytes of a memory page. */
  readonly pageSize: number;
  /** Bytes that a new pipe holds. */
  readonly pipeCapacity: number;
  /** Bytes that a pipe of this process can be enlarged to; at most 16 MiB are tried. */
  readonly largestPipe: number;
  /** Open descriptors: the current limit (`ulimit -n`), and how far the process may raise it. */
  readonly openFiles: { readonly soft: number | null; readonly hard: number | null };
  /** Locked bytes: the current limit (`ulimit -l`), and how far the process may raise it. */
  readonly lockedMemory: { readonly soft: number | null; readonly hard: number | null };
  /** Reserved huge pages; `null` if the kernel does not report them. */
  readonly hugePages: number | null;
}

/** Reads the limits. */
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
