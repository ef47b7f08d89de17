/**
 * System calls that the sandbox forbids: those that reach beyond the thread's descriptors and that
 * Landlock does not restrict.
 *
 * It lists forbidden calls instead of allowed ones, because the runtime makes its own calls in the
 * same thread (memory, locks, clocks), and they change with each release.
 *
 * @module
 */

import { libraryName } from "../../../../ffi/libc/mod.ts";
import { platform } from "../../../../ffi/platform/mod.ts";
import { builtin } from "../../../builtins.ts";
import { errnoNumber } from "../../../errors.ts";
import { type CallName, callNumber } from "../../../sys/raw/process/call_numbers.ts";
import {
  type ArgumentTest,
  type CallRule,
  setCallFilter,
} from "../../../sys/raw/process/seccomp.ts";

/** An address that the thread may connect to. */
export interface AllowedAddress {
  /** Address family of the socket, such as `AF_INET`. */
  readonly family: number;
  /** Location of the one `struct sockaddr` that connect(2) may get. */
  readonly pointer: bigint;
}

/** Further calls that some servers need. */
export interface MoreCalls {
  /** Whether sendmsg(2) may be called. */
  readonly messages: boolean;
  /** Whether pairs of Unix stream sockets may be made. */
  readonly pairs: boolean;
  /** Whether files may be created, named and removed, where Landlock allows it. */
  readonly writes?: boolean | undefined;
}

/** Calls that give names to files and take them away. */
const NAMING: ReadonlySet<string> = new Set(["linkat", "renameat", "renameat2", "unlinkat"]);

/** Calls that always fail, grouped by what they reach. */
const FORBIDDEN: readonly CallName[] = (
  // Programs.
  "execve execveat fork vfork " +
  // Other processes, and the scheduling of this one.
  "ptrace process_vm_writev kcmp pidfd_open pidfd_getfd pidfd_send_signal process_madvise " +
  "process_mrelease migrate_pages move_pages setpriority ioprio_set sched_setaffinity " +
  "sched_setattr sched_setparam sched_setscheduler setrlimit setpgid setsid " +
  // What all threads of the process share.
  "chroot chdir fchdir umask " +
  // Mounts and namespaces.
  "setns unshare mount umount2 pivot_root move_mount open_tree open_tree_attr fsopen fsconfig " +
  "fsmount fspick mount_setattr swapon swapoff quotactl quotactl_fd " +
  // Users.
  "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset " +
  // Attributes of files, which Landlock leaves alone.
  "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat " +
  "setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat " +
  "file_setattr " +
  // Names of files. Landlock holds these too, apart from truncate(2) before Linux 6.2.
  "creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink " +
  "symlinkat mknod mknodat truncate name_to_handle_at open_by_handle_at fanotify_init " +
  // Looking at paths.
  "stat lstat access readlink ustat " +
  // Addresses, and descriptors of other processes.
  "bind listen sendmmsg " +
  // What submits calls past this filter, or watches others.
  "io_uring_setup io_uring_register bpf perf_event_open userfaultfd " +
  // Keys, and the names of System V and POSIX objects.
  "keyctl add_key request_key mq_open mq_unlink msgget semget shmget " +
  // The machine.
  "reboot kexec_load kexec_file_load init_module finit_module delete_module acct syslog " +
  "sethostname setdomainname settimeofday clock_settime adjtimex clock_adjtime iopl ioperm " +
  "modify_ldt personality vhangup"
).split(" ") as CallName[];

const EPERM = errnoNumber("EPERM");
const ENOSYS = errnoNumber("ENOSYS");

const CLONE_THREAD = 0x10000;
const SIGN_BIT = 0x8000_0000;
const SOCKET_TYPE_MASK = 0xf;
const SOCK_STREAM = 1;
const MSG_FASTOPEN = 0x2000_0000;
const IPPROTO_TCP = 6;

/**
 * Requests of ioctl(2) about the thread's own descriptors: FIONREAD, SIOCOUTQ, FIONBIO, FIOCLEX,
 * FIONCLEX, TCGETS, TCGETS2, TIOCGWINSZ. Others change files, terminals and devices.
 */
const REQUESTS = [0x541b, 0x5411, 0x5421, 0x5451, 0x5450, 0x5401, 0x802c542a, 0x5413];

/**
 * Forbids the calls for the calling thread, and those that it will start, for good; 0 or `-errno`.
 *
 * A forbidden call fails with `EPERM`.
 */
export function forbidCalls(addresses: readonly AllowedAddress[], more: MoreCalls): number {
  // Rules that look at arguments come first: the kernel remembers which calls always pass.
  const forbidden = more.writes ? FORBIDDEN.filter((name) => !NAMING.has(name)) : FORBIDDEN;
  const rules = [...conditional(addresses, more), ...forbidden.map((name) => rule(name, []))];
  return setCallFilter(rules.filter(({ call }) => call >= 0), EPERM);
}

function rule(
  name: CallName,
  allowed: readonly (readonly ArgumentTest[])[],
  errno = EPERM,
): CallRule {
  return { call: callNumber(name), allowed, errno };
}

function conditional(
  addresses: readonly AllowedAddress[],
  { messages, pairs }: MoreCalls,
): CallRule[] {
  const { pid } = builtin("process");
  const self = is(0, pid);
  const families = [...new Set(addresses.map(({ family }) => family))];
  // A filter cannot read a path, only tell AT_FDCWD, which is negative, from an open folder. Runtimes
  // and libc pass AT_FDCWD. Listings look names up in an open folder.
  const inFolder = [[{ argument: 0, mask: SIGN_BIT, value: 0 }]];
  return [
    rule("sendto", [pointer(4, 0n)]),
    rule("ioctl", REQUESTS.map((request) => [is(1, request)])),
    rule("socket", families.flatMap(streamSockets)),
    // With MSG_FASTOPEN it would connect.
    rule("sendmsg", messages ? [[{ argument: 2, mask: MSG_FASTOPEN, value: 0 }]] : []),
    // Datagrams could go to any address; the two ends of a stream reach only each other.
    rule("socketpair", pairs ? streamSockets(platform.socket.AF_UNIX) : []),
    rule("connect", addresses.map((address) => pointer(1, address.pointer))),
    ...(["statx", "newfstatat", "faccessat", "faccessat2", "readlinkat"] as const).map((name) =>
      rule(name, inFolder)
    ),
    // Runtimes stop their own threads by signals.
    ...(["tgkill", "kill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"] as const).map((name) =>
      rule(name, [[self]])
    ),
    // pthread_kill() of musl names the thread alone.
    rule("tkill", libraryName().includes("musl") ? [[]] : []),
    rule("process_vm_readv", [[self]]),
    rule("prlimit64", [[is(0, 0), ...pointer(2, 0n)], [self, ...pointer(2, 0n)]]),
    rule("clone", [[{ argument: 0, mask: CLONE_THREAD, value: CLONE_THREAD }]]),
    // Its flags are in memory, which no filter can read; pthread_create() then uses clone(2).
    rule("clone3", [], ENOSYS),
  ];
}

function streamSockets(family: number): ArgumentTest[][] {
  const stream = { argument: 1, mask: SOCKET_TYPE_MASK, value: SOCK_STREAM };
  const protocols = family === platform.socket.AF_UNIX ? [0] : [0, IPPROTO_TCP];
  return protocols.map((protocol) => [is(0, family), stream, is(2, protocol)]);
}

function is(argument: number, value: number): ArgumentTest {
  return { argument, value: value >>> 0 };
}

function pointer(argument: number, address: bigint): ArgumentTest[] {
  return [
    { argument, value: Number(address & 0xffff_ffffn) },
    { argument, upper: true, value: Number(address >> 32n) },
  ];
}
