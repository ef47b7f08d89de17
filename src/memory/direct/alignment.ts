/** Finds the alignment that a file requires for direct I/O. @module */

import { builtin } from "../../builtins.ts";
import { errnoNumber } from "../../errors.ts";
import { type Statx, StatxMask } from "../../sys/file/stat.ts";
import { IoOp, type IoQueue } from "../../threads/io_queue/types.ts";
import { borrow, giveBack } from "./bounce.ts";
import type { Alignment } from "./channel.ts";

/** Candidates in ascending order; no block device has larger sectors. */
const CANDIDATES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

/** Fits nearly every device: the smallest value that is larger than most require. */
const LIKELY = 4096;

const EINVAL = -errnoNumber("EINVAL");

/**
 * Finds the alignment that direct I/O on a file requires. Tries statx(2) with `STATX_DIOALIGN`
 * (Linux 6.1), then the sector size of the device that holds the file, then trial reads.
 *
 * @param fd Descriptor opened with `O_DIRECT`.
 * @param far Whether another machine or another program holds the file.
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

/**
 * Sector size of the device behind the file, in bytes; 0 without one, as in memory or on a network.
 */
function sectorSize({ mode, dev, rdev }: Statx): number {
  const [major, minor] = (mode & 0o170000) === 0o060000 ? rdev : dev;
  const device = `/sys/dev/block/${major}:${minor}`;
  // sysfs keeps a partition's queue in the parent folder.
  for (const path of [`${device}/queue`, `${device}/../queue`]) {
    try {
      const text = builtin("fs").readFileSync(`${path}/logical_block_size`, "utf8");
      const bytes = Number(text);
      if (CANDIDATES.includes(bytes)) return bytes;
    } catch {
      // Not a device, or no sysfs: the caller tries the next method.
    }
  }
  return 0;
}

/**
 * Reads with an offset, length and address that are multiples of one candidate but of no larger
 * one. If the file is too short to tell, returns the likely value.
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
