/** Tries to reach files outside the folder from inside a server thread. @module */

import {
  accessSync,
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Cell } from "../../../../ffi/libc/cell.ts";
import { fold, libc } from "../../../../ffi/libc/mod.ts";
import { errnoName } from "../../../../src/errors.ts";
import { encodeAddress } from "../../../../src/sys/net/address.ts";
import { type CallName, callNumber } from "../../../../src/sys/raw/process/call_numbers.ts";
import { syscall } from "../../../../src/sys/raw/syscall.ts";

const { ppid } = process;
const outside = process.env["SLUICE_TEST_OUTSIDE"]!;
const unixPath = process.env["SLUICE_TEST_UNIX"]!;
const udpPort = Number(process.env["SLUICE_TEST_UDP"]);
const at = (name: string) => join(outside, name);

const STREAM = 1;
const DATAGRAM = 2;
const RAW = 3;
const SIGCHLD = 17;

const bytes = new Cell(256);

/** A system call, by its name. */
const call = (name: CallName, ...args: (number | bigint | Uint8Array)[]) => () =>
  syscall(callNumber(name), ...args);

const path = (name: string) => new TextEncoder().encode(`${name}\0`);

function socket(family: number, type: number, protocol = 0): () => number {
  return () => {
    const fd = fold(libc().socket(family, type, protocol));
    if (fd >= 0) libc().close(fd);
    return fd;
  };
}

function send(): number {
  const target = encodeAddress({ family: "IPv4", address: "127.0.0.1", port: udpPort });
  const cell = new Cell(target.length);
  cell.bytes.set(target);
  const fd = fold(libc().socket(2, DATAGRAM, 0));
  // Without a socket of that kind: the filter looks at the address first.
  const count = libc().sendto(Math.max(fd, 0), bytes.address, 1n, 0, cell.address, target.length);
  return fold(count);
}

function connectByPath(): number {
  const target = encodeAddress({ family: "Unix", path: unixPath });
  const fd = fold(libc().socket(1, STREAM, 0));
  return fold(libc().connect(Math.max(fd, 0), target, target.length));
}

/** Attempts that do no harm if they succeed: they are undone, or only read. */
const HARMLESS: Record<string, () => unknown> = {
  "stat": () => statSync(at("file")),
  "lstat": () => lstatSync(at("file")),
  "access": () => accessSync(at("file")),
  "readlink": () => readlinkSync(at("link")),
  "read": () => readFileSync(at("file")),
  "write": () => writeFileSync(at("file"), "written"),
  "create": () => writeFileSync(at("created"), "written"),
  "chmod": () => chmodSync(at("file"), 0o600),
  "chown": () => chownSync(at("file"), process.getuid!(), process.getgid!()),
  "utimes": () => utimesSync(at("file"), 1, 1),
  "truncate": () => truncateSync(at("file"), 1),
  "setxattr": call("setxattr", path(at("file")), path("user.x"), path("v"), 1, 0),
  "mkdir": () => mkdirSync(at("made")),
  "symlink": () => symlinkSync("x", at("linked")),
  "hard link": () => linkSync(at("file"), at("second")),
  "rename": () => renameSync(at("file"), at("renamed")),
  "unlink": () => unlinkSync(at("renamed")),
  "Unix stream": socket(1, STREAM),
  "Unix datagram": socket(1, DATAGRAM),
  "UDP": socket(2, DATAGRAM),
  "UDP 6": socket(10, DATAGRAM),
  "netlink": socket(16, RAW),
  "connect to a path": connectByPath,
  "send to an address": send,
  "signal the parent": call("kill", ppid, 0),
  "signal a thread of the parent": call("tgkill", ppid, ppid, 0),
  "signal a thread": call("tkill", ppid, 0),
  "descriptor of the parent": call("pidfd_open", ppid, 0),
  "read a limit of the parent": call("prlimit64", ppid, 7, 0, bytes.address),
  "io_uring": call("io_uring_setup", 1, bytes.address + 128n),
};

/** Calls that would change the whole process, with invalid arguments: the filter rejects them first. */
const ALWAYS_REFUSED: Record<string, () => unknown> = {
  "priority": call("setpriority", 0, 0, 19),
  "folder of the process": call("chdir", path(outside)),
  "raw socket": socket(2, RAW, 1),
  "packet socket": socket(17, RAW),
  "MPTCP": socket(2, STREAM, 262),
  "SCTP": socket(2, STREAM, 132),
  "vsock": socket(40, STREAM),
  "sockets that are connected": call("socketpair", 1, DATAGRAM, 0, 1n),
  "bind": call("bind", 0, 1n, 16),
  "listen": call("listen", -1, 1),
  "sendmsg": call("sendmsg", -1, 1n, 0),
  "ptrace": call("ptrace", -1, ppid, 0, 0),
  "memory of the parent": call("process_vm_readv", ppid, 1n, 1, 1n, 1, 0),
  "write memory of the parent": call("process_vm_writev", ppid, 1n, 1, 1n, 1, 0),
  "execute": call("execve", 1n, 1n, 1n),
  "execute a descriptor": call("execveat", -1, 1n, 1n, 1n, 0x1000),
  "fork": call("clone", SIGCHLD | 0x80000000, 0, 0, 0, 0),
  "mount": call("mount", 1n, 1n, 1n, 0, 0),
  "namespace": call("unshare", 0x7fff_ffff),
  "signal with data": call("rt_sigqueueinfo", ppid, 0, 1n),
  "type into the terminal": call("ioctl", -1, 0x5412, 1n),
  "handle of a file": call("open_by_handle_at", -1, 1n, 0),
  "times by descriptor": call("utimensat", -1, 0n, 1n, 0),
  "mode by descriptor": call("fchmod", -1, 0o600),
};

function attempt(run: () => unknown): string {
  try {
    const result = run();
    return typeof result === "number" && result < 0 ? errnoName(-result) : "done";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Makes all attempts on one file, and the harmless ones on the other. */
export function headers({ name }: { readonly name: string }): Record<string, string> | undefined {
  if (name !== "file.txt" && name !== "app.js") return undefined;
  const attempts = name === "app.js" ? HARMLESS : { ...HARMLESS, ...ALWAYS_REFUSED };
  const outcomes = Object.entries(attempts).map(([what, run]) => [what, attempt(run)]);
  return { "X-Outcomes": JSON.stringify(Object.fromEntries(outcomes)) };
}
