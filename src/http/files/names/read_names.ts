/** Reads the names of a folder in a thread that may block. @module */

import { Cell } from "../../../../ffi/libc/cell.ts";
import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { EINTR, ENOSYS } from "../../../errno.ts";
import { check } from "../../../sys/check.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { getdentsCell } from "../../../sys/raw/cells.ts";
import { type Dotfiles, isVisible } from "../../rules/target.ts";
import { searchNow } from "../search.ts";
import type { OpenFile } from "../open_root.ts";
import { visibleNames } from "./folder_names.ts";
import { NameCollector } from "./name_collector.ts";
import type { NamedEntry, NameList } from "./name_list.ts";

/** Bytes of entries at once. */
const BATCH_BYTES = 64 * 1024;

/** Offsets in `struct linux_dirent64`: getdents64(2). */
const LENGTH = 16;
const TYPE = 18;
const NAME = 19;

/** Values of `d_type`: readdir(3). */
const Type = { UNKNOWN: 0, DIRECTORY: 4, REGULAR: 8, LINK: 10 } as const;

const DOT = 0x2e;
const BACKSLASH = 0x5c;
const FIRST_PLAIN = 0x20;
const LAST_PLAIN = 0x7e;

/** Opens a name in the folder; a negative errno if that fails. */
type Open = (name: string) => OpenFile | number;

/** Filled by each call. */
let batch: Cell | undefined;

/**
 * Reads the names that a listing may show, sorted. `fd` may be a path only. `open` finds out what a
 * link leads to.
 *
 * @throws {SyscallError} When the folder cannot be read.
 */
export function readNames(fd: number, dotfiles: Dotfiles, open: Open): NameList {
  const { CLOEXEC, DIRECTORY } = platform.open;
  const path = `/proc/self/fd/${fd}`;
  const action = () => "list a folder";
  // Its own position: several threads may read the same folder.
  const own = check(raw.open(path, DIRECTORY | CLOEXEC, 0), "open", action);
  const names = new NameCollector();
  try {
    const cell = batch ??= new Cell(BATCH_BYTES);
    for (;;) {
      const count = getdentsCell(own, cell);
      if (count === EINTR) continue;
      if (count === ENOSYS) return withoutCalls(path, dotfiles, open);
      if (check(count, "getdents64", action) === 0) return names.sorted();
      for (let at = 0; at < count;) {
        collect(names, cell.bytes, at, { dotfiles, open });
        at += cell.view.getUint16(at + LENGTH, true);
      }
    }
  } finally {
    raw.close(own);
  }
}

/** Adds one entry, unless it is hidden. */
function collect(
  names: NameCollector,
  bytes: Uint8Array,
  at: number,
  { dotfiles, open }: { readonly dotfiles: Dotfiles; readonly open: Open },
): void {
  const type = bytes[at + TYPE]!;
  const start = at + NAME;
  let end = start;
  let plain = true;
  for (let byte; (byte = bytes[end]!) !== 0; end++) {
    if (byte < FIRST_PLAIN || byte > LAST_PLAIN || byte === BACKSLASH) plain = false;
  }
  const known = type === Type.REGULAR || type === Type.DIRECTORY;
  if (plain && known && bytes[start] !== DOT) {
    return names.addBytes(bytes, start, end, type === Type.DIRECTORY ? "folder" : "file");
  }
  const name = nameOf(bytes.subarray(start, end));
  if (name === undefined || !isVisible(name, dotfiles)) return;
  if (known) {
    return names.add({ name, kind: type === Type.DIRECTORY ? "folder" : "file", link: false });
  }
  if (type !== Type.LINK && type !== Type.UNKNOWN) return;
  const opened = open(name);
  if (typeof opened === "number") return;
  opened.close();
  names.add({ name, kind: opened.folder ? "folder" : "file", link: true });
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes a name; `undefined` for bytes that no request can ask for. */
function nameOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Reads by the runtime's own function, where the call is missing. */
function withoutCalls(path: string, dotfiles: Dotfiles, open: Open): NameList {
  const found = builtin("fs").readdirSync(path, { withFileTypes: true });
  return listOf(searchNow(visibleNames(found, dotfiles), open));
}

/** Sorts entries. */
export function listOf(entries: readonly NamedEntry[]): NameList {
  const names = new NameCollector();
  for (const entry of entries) names.add(entry);
  return names.sorted();
}
