/** On which kind of file system a descriptor lies, without asking that file system. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { close, memfdCreate, open, read } from "../raw/mod.ts";
import { DONT_SYNC, FileSystem, fileSystemType, STATX_BYTES, statxInto } from "./statx.ts";

/**
 * Who answers a call on a file.
 *
 * `"disk"`: the kernel, from a device of this machine. `"memory"`: the kernel, from memory.
 * `"generated"`: the kernel makes the contents up as they are read (procfs, sysfs). `"remote"`: another
 * machine or another process (NFS, SMB, FUSE), which may answer late or never; also whatever is not
 * known.
 */
export type Storage = "disk" | "memory" | "generated" | "remote";

/** A mounted file system. */
export interface Mount {
  /** Who answers. */
  readonly storage: Storage;
  /** A name for it that no other mount has at the same time. */
  readonly key: string;
  /** `f_type` of statfs(2), such as `FileSystem.EXT`; 0 where asking might wait. */
  readonly type: number;
}

const DISK =
  "ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs jfs nilfs2 reiserfs overlay aufs squashfs " +
  "erofs iso9660 udf vfat exfat msdos ntfs ntfs3 hfs hfsplus minix cramfs jffs2 ubifs efivarfs";
const MEMORY = "tmpfs ramfs devtmpfs hugetlbfs rootfs";
const GENERATED = "proc sysfs cgroup cgroup2 debugfs tracefs securityfs configfs bpf pstore " +
  "selinuxfs smackfs resctrl binfmt_misc fusectl mqueue nfsd rpc_pipefs devpts nsfs binder";

/** By the name in the table of mounts. What is missing, such as `fuse`, `nfs4`, `cifs`, is remote. */
const STORAGE: ReadonlyMap<string, Storage> = new Map([
  ...DISK.split(" ").map((name) => [name, "disk"] as const),
  ...MEMORY.split(" ").map((name) => [name, "memory"] as const),
  ...GENERATED.split(" ").map((name) => [name, "generated"] as const),
]);

const EVERYTHING_LOCAL: Mount = { storage: "disk", key: "local", type: 0 };

const STATX_MNT_ID = 0x1000;
/** Linux 6.8: a number that is never used again. */
const STATX_MNT_ID_UNIQUE = 0x4000;

/** How long a number may be trusted that is used again for another mount, in milliseconds. */
const TRUST_MS = 1000;

/** Mounts that are remembered; more are asked for again. */
const MOST_KNOWN = 256;

/** Smallest huge page, which is the block size that hugetlbfs reports. */
const HUGE_PAGE = 1024 * 1024;

const out = new Cell(STATX_BYTES);
const known = new Map<bigint, { mount: Mount; untilMs: number }>();
let memoryDevice = "";

/** The mount of an open file, or of the current folder: `platform.atFdcwd`. Never waits. */
export function mountOf(fd: number): Mount {
  if (platform.os !== "linux") return EVERYTHING_LOCAL;
  if (!ask(fd, STATX_MNT_ID_UNIQUE)) return { storage: "remote", key: "?", type: 0 };
  return mountAsked(fd, out.view);
}

/**
 * As {@linkcode mountOf}, by an answer of statx(2) that was asked for with {@linkcode MOUNT_MASK}: for
 * those who need more of it.
 */
export function mountAsked(fd: number, view: DataView): Mount {
  if (platform.os !== "linux") return EVERYTHING_LOCAL;
  const mask = view.getUint32(0, true);
  const unique = (mask & STATX_MNT_ID_UNIQUE) !== 0;
  const id = (mask & (STATX_MNT_ID_UNIQUE | STATX_MNT_ID)) === 0
    ? -view.getBigUint64(136, true) - 1n
    : view.getBigUint64(144, true);
  const found = known.get(id);
  if (found !== undefined && performance.now() < found.untilMs) return found.mount;
  const mount = find(fd, unique);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(id, { mount, untilMs: unique ? Infinity : performance.now() + TRUST_MS });
  return mount;
}

/** What {@linkcode mountAsked} needs of statx(2), beside what else is wanted. */
export const MOUNT_MASK: number = STATX_MNT_ID | STATX_MNT_ID_UNIQUE;

/** The mount on which a path lies by its letters: symbolic links are not looked at. */
export function mountByName(path: string): Mount {
  let best: Row | undefined;
  for (const row of table()) {
    const { point } = row;
    const below = path === point || path.startsWith(point === "/" ? "/" : `${point}/`);
    // Of two on one folder the later one is on top.
    if (below && point.length >= (best?.point.length ?? 0)) best = row;
  }
  const storage = STORAGE.get(best?.type ?? "") ?? "remote";
  return { storage, key: best === undefined ? "?" : `${best.id} ${best.device}`, type: 0 };
}

/**
 * Type of the file system that holds an open file, such as `FileSystem.EXT`; 0 where asking it might
 * wait.
 */
export function fileSystemOf(fd: number): number {
  return platform.os === "linux" ? mountOf(fd).type : 0;
}

function ask(fd: number, mask: number): boolean {
  return statxInto(fd, DONT_SYNC, mask, out) >= 0;
}

function find(fd: number, unique: boolean): Mount {
  // The table knows the other number.
  if (unique && !ask(fd, STATX_MNT_ID)) return { storage: "remote", key: "?", type: 0 };
  if (!unique) ask(fd, STATX_MNT_ID);
  const { view } = out;
  const device = `${view.getUint32(136, true)}:${view.getUint32(140, true)}`;
  const counted = (view.getUint32(0, true) & STATX_MNT_ID) !== 0;
  const id = counted ? String(view.getBigUint64(144, true)) : "";
  const blockSize = view.getUint32(4, true);
  const rows = table();
  const key = `${id} ${device}`;
  // Without procfs there is nobody else to ask.
  if (rows.length === 0) return mountByType(fd, key);
  const row = rows.findLast((row) => counted ? row.id === id : row.device === device);
  const storage = row === undefined
    ? device === memory() || blockSize >= HUGE_PAGE ? "memory" : "remote"
    : STORAGE.get(row.type) ?? "remote";
  const type = storage === "remote" || fd < 0 ? 0 : Math.max(0, fileSystemType(fd));
  return { storage, key, type };
}

const LOCAL_TYPES: ReadonlySet<number> = new Set(Object.values(FileSystem));
const MEMORY_TYPES: readonly number[] = [
  FileSystem.TMPFS,
  FileSystem.RAMFS,
  FileSystem.HUGETLBFS,
];

function mountByType(fd: number, key: string): Mount {
  const type = fd < 0 ? 0 : Math.max(0, fileSystemType(fd));
  if (!LOCAL_TYPES.has(type)) return { storage: "remote", key, type: 0 };
  return { storage: MEMORY_TYPES.includes(type) ? "memory" : "disk", key, type };
}

/** Device of all memory files: the kernel's own mount, which is in no table. */
function memory(): string {
  if (memoryDevice !== "") return memoryDevice;
  const fd = memfdCreate("sluice", 1);
  if (fd < 0) return "none";
  if (ask(fd, STATX_MNT_ID)) {
    memoryDevice = `${out.view.getUint32(136, true)}:${out.view.getUint32(140, true)}`;
  }
  close(fd);
  return memoryDevice;
}

interface Row {
  readonly id: string;
  readonly device: string;
  readonly point: string;
  readonly type: string;
}

/** The table of mounts: see proc_pid_mountinfo(5). The kernel writes it without asking anybody. */
function table(): Row[] {
  const fd = open("/proc/self/mountinfo", platform.open.CLOEXEC, 0);
  if (fd < 0) return [];
  const decoder = new TextDecoder();
  const piece = new Uint8Array(16 * 1024);
  let text = "";
  for (let count = read(fd, piece); count > 0; count = read(fd, piece)) {
    text += decoder.decode(piece.subarray(0, count), { stream: true });
  }
  close(fd);
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const fields = line.split(" ");
    const type = fields[fields.indexOf("-", 6) + 1] ?? "";
    const point = fields[4]!.replace(
      /\\([0-7]{3})/g,
      (_, octal: string) => String.fromCharCode(parseInt(octal, 8)),
    );
    return { id: fields[0]!, device: fields[2]!, point, type };
  });
}
