/**
 * The two queues of an io_uring, as typed arrays over the memory that the kernel shares.
 *
 * Internal: an entry names memory by address, and the kernel writes there whatever the memory holds
 * by then.
 *
 * @module
 */

import { fold } from "../../ffi/libc/mod.ts";
import { platform } from "../../ffi/platform/mod.ts";
import { check } from "./check.ts";
import { UringEnterFlag } from "./flags/event.ts";
import { UringOffset } from "./io_uring.ts";
import { libc } from "./libc.ts";
import { MapFlag, MemoryAdvice, Protection } from "./flags/memory.ts";
import * as raw from "./raw/mod.ts";
import type { Region } from "./region.ts";

/** Operations of an entry: `IORING_OP_...`. */
export const UringOp = {
  FSYNC: 3,
  POLL_ADD: 6,
  ASYNC_CANCEL: 14,
  READ: 22,
  WRITE: 23,
  SEND: 26,
  FTRUNCATE: 55,
} as const;

/** Bits of an entry: `IOSQE_...`. */
export const UringEntryFlag = { LINK: 4, CQE_SKIP_SUCCESS: 64 } as const;

/** Bits of {@linkcode Uring.features}: `IORING_FEAT_...`. */
export const UringFeature = { SINGLE_MMAP: 1, NODROP: 2, CQE_SKIP: 0x800 } as const;

// `IORING_SETUP_...`: completions don't interrupt this thread while it runs JavaScript, and a flag
// says that some wait for its next system call.
const COOP_TASKRUN = 0x100;
const TASKRUN_FLAG = 0x200;
/** `IORING_SQ_TASKRUN` */
const KEPT_BACK = 4;
const REGISTER_EVENTFD = 4;
const REGISTER_PROBE = 8;

/** Positions of the parts of the queues, as indexes of 32-bit words. */
type Places = Record<"sqTail" | "sqFlags" | "sqArray" | "cqHead" | "cqTail" | "cqes", number>;

const PARAMS = 120;
const SQE = 64;
const CQE = 16;
const HIGH = 0x1_0000_0000;
const EINVAL = -22;

/** A ring. Only {@linkcode Uring.wait} blocks; {@linkcode Uring.enter} submits and returns. */
export class Uring {
  /** Descriptor of the ring, closed on exec. */
  readonly fd: number;
  /** Bits of {@linkcode UringFeature}. */
  readonly features: number;
  /** Number of entries that can be prepared between two submissions. */
  readonly entries: number;
  readonly #known: ReadonlySet<number>;
  readonly #regions: readonly Region[];
  readonly #ring: Int32Array;
  readonly #sqe: DataView;
  readonly #at: Places;
  readonly #sqMask: number;
  readonly #cqMask: number;
  readonly #counts: readonly bigint[];
  readonly #fdArgument: bigint;
  #prepared = 0;
  #tail = 0;

  /** Creates a ring. Throws `ENOSYS` without io_uring, `EPERM` if it is forbidden. */
  constructor(entries: number) {
    const params = new Uint8Array(PARAMS);
    const view = new DataView(params.buffer);
    const u32 = (offset: number) => view.getUint32(offset, true);
    view.setUint32(8, COOP_TASKRUN | TASKRUN_FLAG, true);
    let fd = raw.ioUringSetup(entries, params);
    if (fd === EINVAL) {
      // Retry for kernels before Linux 5.19.
      params.fill(0);
      fd = raw.ioUringSetup(entries, params);
    }
    this.fd = check(fd, "io_uring_setup", () => "create a ring");
    this.features = u32(20);
    this.entries = u32(0);
    this.#sqMask = u32(0) - 1;
    this.#cqMask = u32(4) - 1;
    this.#at = {
      sqTail: u32(44) / 4,
      sqFlags: u32(56) / 4,
      sqArray: u32(64) / 4,
      cqHead: u32(80) / 4,
      cqTail: u32(84) / 4,
      cqes: u32(100) / 4,
    };
    this.#counts = Array.from({ length: u32(0) + 1 }, (_, i) => BigInt(i));
    this.#fdArgument = BigInt(this.fd);
    const regions: Region[] = [];
    this.#regions = regions;
    try {
      // Without SINGLE_MMAP, before Linux 5.4, the second queue has its own mapping.
      const length = Math.max(u32(64) + u32(0) * 4, u32(100) + u32(4) * CQE);
      const queues = this.#map(length, UringOffset.SQ_RING, regions).bytes();
      const table = this.#map(u32(0) * SQE, UringOffset.SQES, regions).bytes();
      this.#ring = new Int32Array(queues.buffer, queues.byteOffset, length >> 2);
      this.#sqe = new DataView(table.buffer, table.byteOffset, table.byteLength);
      this.#known = this.#probe();
    } catch (error) {
      this.close();
      throw error;
    }
    // Entry i of the queue is always entry i of the table, so the index array never changes.
    for (let i = 0; i <= this.#sqMask; i++) this.#ring[this.#at.sqArray + i] = i;
    this.#tail = this.#ring[this.#at.sqTail]!;
  }

  #map(length: number, offset: number, regions: Region[]): Region {
    const protection = Protection.READ | Protection.WRITE;
    const region = check(
      raw.mmap(length, protection, MapFlag.SHARED | MapFlag.POPULATE, this.fd, offset),
      "mmap",
      () => "map a ring",
    );
    regions.push(region);
    // A child process must not share, and so change, the entries of this one.
    raw.madvise(region, 0, length, MemoryAdvice.DONTFORK);
    return region;
  }

  #probe(): Set<number> {
    const known = new Set<number>();
    const probe = new Uint8Array(16 + 256 * 8);
    if (raw.ioUringRegister(this.fd, REGISTER_PROBE, probe, 256) < 0) return known;
    for (let at = 16; at < probe.length; at += 8) {
      if ((probe[at + 2]! & 1) !== 0) known.add(probe[at]!);
    }
    return known;
  }

  /** Whether this kernel supports all of these operations. */
  knows(...operations: number[]): boolean {
    return operations.every((op) => this.#known.has(op));
  }

  /** Makes the kernel signal an eventfd on each completion. Returns 0 or `-errno`. */
  signal(eventfd: number): number {
    const argument = new Uint8Array(4);
    new DataView(argument.buffer).setInt32(0, eventfd, true);
    return raw.ioUringRegister(this.fd, REGISTER_EVENTFD, argument, 1);
  }

  /** Entries that can still be prepared. */
  get room(): number {
    return this.entries - this.#prepared;
  }

  /** Entries prepared and not yet submitted. */
  get prepared(): number {
    return this.#prepared;
  }

  /**
   * Prepares an entry; there must be room.
   *
   * @param op One of {@linkcode UringOp}.
   * @param flags Bits of {@linkcode UringEntryFlag}.
   * @param fd Descriptor.
   * @param address Address, or the operation's value for that field.
   * @param length Bytes, or the operation's value for that field.
   * @param offset Offset in the file.
   * @param extra Flags of the operation: `RWF_...`, `MSG_...`, poll events.
   * @param tag Lower half of the completion's user data.
   * @param generation Upper half of it.
   */
  prepare(
    op: number,
    flags: number,
    fd: number,
    address: number,
    length: number,
    offset: number,
    extra: number,
    tag: number,
    generation: number,
  ): void {
    const sqe = this.#sqe;
    const at = (this.#tail & this.#sqMask) * SQE;
    sqe.setUint32(at, op | (flags << 8), true);
    sqe.setInt32(at + 4, fd, true);
    sqe.setUint32(at + 8, offset, true);
    sqe.setUint32(at + 12, offset / HIGH, true);
    sqe.setUint32(at + 16, address, true);
    sqe.setUint32(at + 20, address / HIGH, true);
    sqe.setUint32(at + 24, length, true);
    sqe.setUint32(at + 28, extra, true);
    sqe.setUint32(at + 32, tag, true);
    sqe.setUint32(at + 36, generation, true);
    sqe.setFloat64(at + 40, 0, true);
    sqe.setFloat64(at + 48, 0, true);
    sqe.setFloat64(at + 56, 0, true);
    this.#tail = (this.#tail + 1) | 0;
    this.#prepared++;
  }

  /** Submits the prepared entries. Returns how many the kernel took, or `-errno`; keeps the rest. */
  enter(): number {
    Atomics.store(this.#ring, this.#at.sqTail, this.#tail);
    const taken = fold(
      libc().syscall(ENTER, this.#fdArgument, this.#counts[this.#prepared]!, 0n, 0n, 0n, 0n),
    );
    if (taken > 0) this.#prepared -= taken;
    return taken;
  }

  /** Blocks until an operation completes. Returns `-errno` on failure. */
  wait(): number {
    return raw.ioUringEnter(this.fd, 0, 1, UringEnterFlag.GETEVENTS);
  }

  /** Makes the kernel deliver completions that it delays until the next system call. */
  hurry(): void {
    if ((Atomics.load(this.#ring, this.#at.sqFlags) & KEPT_BACK) === 0) return;
    raw.ioUringEnter(this.fd, 0, 0, UringEnterFlag.GETEVENTS);
  }

  /** Whether completions are available. */
  get ready(): boolean {
    return this.#ring[this.#at.cqHead] !== Atomics.load(this.#ring, this.#at.cqTail);
  }

  /** Takes all completions, each once, including those that arrive meanwhile. */
  reap(completed: (tag: number, generation: number, result: number) => void): void {
    const ring = this.#ring;
    const { cqHead, cqTail, cqes } = this.#at;
    let head = ring[cqHead]!;
    while (head !== Atomics.load(ring, cqTail)) {
      const at = cqes + (head & this.#cqMask) * (CQE / 4);
      const tag = ring[at]!;
      const generation = ring[at + 1]!;
      const result = ring[at + 2]!;
      head = (head + 1) | 0;
      // Update the head first: the callback may submit more, and so cause more completions.
      Atomics.store(ring, cqHead, head);
      completed(tag, generation, result);
    }
  }

  /** Frees the ring and its memory. Operations in flight are cancelled, possibly with a delay. */
  close(): void {
    raw.close(this.fd);
    for (const region of this.#regions) raw.munmap(region);
  }
}

const ENTER = BigInt(platform.syscalls.io_uring_enter);
