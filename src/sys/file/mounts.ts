/** Finds the type of file system behind a descriptor, without asking that file system. @module */

import { Cell } from "../../../ffi/libc/cell.ts";
import { fold } from "../../../ffi/libc/mod.ts";
import { platform } from "../../../ffi/platform/mod.ts";
import { libc } from "../libc.ts";
import { close, memfdCreate, open, read } from "../raw/mod.ts";
import { FileSystem, fileSystemType } from "./statx.ts";

/**
 * What answers calls on a file.
 *
 * `"disk"`: the kernel, from a device of this machine. `"memory"`: the kernel, from memory.
 * `"generated"`: the kernel generates the content during the read (procfs, sysfs). `"remote"`:
 * another machine or process (NFS, SMB, FUSE), which may answer late or never; also every unknown
 * file system.
 */
export type Storage = "disk" | "memory" | "generated" | "remote";

/** A mounted file system. */
export interface Mount {
  /** What answers calls on its files. */
  readonly storage: Storage;
  /** Identifies the mount among those that exist at the same time. */
  readonly key: string;
  /** `f_type` of statfs(2), such as `FileSystem.EXT`; 0 if the question might wait. */
  readonly type: number;
}

const DISK =
  "ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs jfs nilfs2 reiserfs overlay aufs squashfs " +
  "erofs iso9660 udf vfat exfat msdos ntfs ntfs3 hfs hfsplus minix cramfs jffs2 ubifs efivarfs";
const MEMORY = "tmpfs ramfs devtmpfs hugetlbfs rootfs";
const GENERATED = "proc sysfs cgroup cgroup2 debugfs tracefs securityfs configfs bpf pstore " +
  "selinuxfs smackfs resctrl binfmt_misc fusectl mqueue nfsd rpc_pipefs devpts nsfs binder";

/** By name in the mount table. Names missing here, such as `fuse`, `nfs4`, `cifs`, are remote. */
const STORAGE: ReadonlyMap<string, Storage> = new Map([
  ...DISK.split(" ").map((name) => [name, "disk"] as const),
  ...MEMORY.split(" ").map((name) => [name, "memory"] as const),
  ...GENERATED.split(" ").map((name) => [name, "generated"] as const),
]);

const EVERYTHING_LOCAL: Mount = { storage: "disk", key: "local", type: 0 };

const AT_EMPTY_PATH = 0x1000;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_MNT_ID = 0x1000;
/** Linux 6.8: a mount number that is never reused. */
const STATX_MNT_ID_UNIQUE = 0x4000;

/** Milliseconds for which a reusable mount number is trusted. */
const TRUST_MS = 1000;

/** Maximum number of mounts remembered; others are looked up again. */
const MOST_KNOWN = 256;

/** Smallest huge page: hugetlbfs reports its page size as block size. */
const HUGE_PAGE = 1024 * 1024;

const out = new Cell(256);
const empty = new Cell(1);
const known = new Map<bigint, { mount: Mount; untilMs: number }>();
let memoryDevice = "";

/** Mount of an open file, or of the current folder (`platform.atFdcwd`). Never waits. */
export function mountOf(fd: number): Mount {
  if (platform.os !== "linux") return EVERYTHING_LOCAL;
  if (!ask(fd, STATX_MNT_ID_UNIQUE)) return { storage: "remote", key: "?", type: 0 };
  return mountAsked(fd, out.view);
}

/**
 * Like {@linkcode mountOf}, from a statx(2) result requested with {@linkcode MOUNT_MASK}: for
 * callers that need other fields too.
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

/** Mask that {@linkcode mountAsked} needs in statx(2), in addition to the caller's own. */
export const MOUNT_MASK: number = STATX_MNT_ID | STATX_MNT_ID_UNIQUE;

/** Mount of a path, by its text alone: ignores symbolic links. */
export function mountByName(path: string): Mount {
  let best: Row | undefined;
  for (const row of table()) {
    const { point } = row;
    const below = path === point || path.startsWith(point === "/" ? "/" : `${point}/`);
    // Of two mounts on one folder, the later one is on top.
    if (below && point.length >= (best?.point.length ?? 0)) best = row;
  }
  const storage = STORAGE.get(best?.type ?? "") ?? "remote";
  return { storage, key: best === undefined ? "?" : `${best.id} ${best.device}`, type: 0 };
}

/**
 * Type of the file system that holds an open file, such as `FileSystem.EXT`; 0 if the question
 * might wait.
 */
export function fileSystemOf(fd: number): number {
  return platform.os === "linux" ? mountOf(fd).type : 0;
}

function ask(fd: number, mask: number): boolean {
  const flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
  return fold(libc().statx(fd, empty.bytes, flags, mask, out.address)) >= 0;
}

function find(fd: number, unique: boolean): Mount {
  // The mount table lists the other number.
  if (unique && !ask(fd, STATX_MNT_ID)) return { storage: "remote", key: "?", type: 0 };
  if (!unique) ask(fd, STATX_MNT_ID);
  const { view } = out;
  const device = `${view.getUint32(136, true)}:${view.getUint32(140, true)}`;
  const counted = (view.getUint32(0, true) & STATX_MNT_ID) !== 0;
  const id = counted ? String(view.getBigUint64(144, true)) : "";
  const blockSize = view.getUint32(4, true);
  const rows = table();
  const key = `${id} ${device}`;
  // Without procfs, statfs(2) is the only source.
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

/** Device of all memfds: the kernel's internal mount, which no table lists. */
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

/**
 * The mount table: see proc_pid_mountinfo(5). The kernel generates it without asking a file system.
 */
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
