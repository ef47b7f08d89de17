/** What a file asks of memory and offsets for direct I/O. @module */

import { builtin } from "../../builtins.ts";
import { EINVAL } from "../../errno.ts";
import { type Statx, StatxMask } from "../../sys/file/stat.ts";
import { IoOp, type IoQueue } from "../../threads/io_queue/types.ts";
import { borrow, giveBack } from "./bounce.ts";
import type { Alignment } from "./channel.ts";

/** What is tried, from the least on; no block device has larger sectors. */
const CANDIDATES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

/** What suits nearly every device: the least that asks for more than is needed. */
const LIKELY = 4096;

/**
 * Finds out, by asking the kernel (statx(2) with `STATX_DIOALIGN`, Linux 6.1), else by the sector size
 * of the device that holds the file, else by trial.
 *
 * @param fd Descriptor that is open with `O_DIRECT`.
 * @param far Whether another machine or another program has the file.
 */
export async function alignmentOf(
  fd: number,
  stat: Statx,
  size: number,
  queue: IoQueue,
  far: boolean,
): Promise<Alignment> {
  const { directMemoryAlign: memory, directOffsetAlign: offset } = stat;
  if ((stat.mask & StatxMask.DIOALIGN) !== 0 && memory > 0 && offset > 0) return { memory, offset };
  const sector = sectorSize(stat);
  if (sector > 0) return { memory: sector, offset: sector };
  const found = await tried(fd, size, queue, far);
  return { memory: found, offset: found };
}

/** Bytes of a sector of the device behind the file; 0 where there is none, as in memory or a network. */
function sectorSize({ mode, dev, rdev }: Statx): number {
  const [major, minor] = (mode & 0o170000) === 0o060000 ? rdev : dev;
  const device = `/sys/dev/block/${major}:${minor}`;
  // A partition has its queue in the folder above.
  for (const path of [`${device}/queue`, `${device}/../queue`]) {
    try {
      const text = builtin("fs").readFileSync(`${path}/logical_block_size`, "utf8");
      const bytes = Number(text);
      if (CANDIDATES.includes(bytes)) return bytes;
    } catch {
      // Not a device, or no sysfs: the next way will tell.
    }
  }
  return 0;
}

/**
 * Reads at an offset, of a length and into memory that are multiples of a candidate and of nothing
 * larger. Where the file is too short for an answer, the likely one is taken.
 */
async function tried(fd: number, size: number, queue: IoQueue, far: boolean): Promise<number> {
  const most = CANDIDATES.at(-1)!;
  const block = await borrow(2 * most);
  try {
    for (const candidate of [1, ...CANDIDATES]) {
      if (size <= candidate) break;
      const request = {
        op: IoOp.READ,
        fd,
        region: block.region,
        at: block.at + candidate,
        length: candidate,
        offset: candidate,
        flags: 0,
        far,
      };
      const result = await new Promise<number>((resolve) => void queue.start(request, resolve));
      if (result >= 0) return candidate;
      if (result !== EINVAL) break;
    }
    return LIKELY;
  } finally {
    giveBack(block);
  }
}
