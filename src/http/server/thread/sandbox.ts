/** The sandbox of a serving thread: a compromised thread can only read below its folders. @module */

import { platform } from "../../../../ffi/platform/mod.ts";
import { errnoNumber, UnsupportedError } from "../../../errors.ts";
import { check } from "../../../sys/check.ts";
import {
  landlockAllowFolder,
  landlockAllowPort,
  landlockCreateRuleset,
  LandlockFile,
  LandlockPort,
  landlockRestrictSelf,
  LandlockScope,
  setNoNewPrivileges,
} from "../../../sys/raw/process/landlock.ts";
import * as raw from "../../../sys/raw/mod.ts";
import { type AllowedAddress, forbidCalls } from "./call_filter.ts";

const ACTION = "put the threads of a server into a sandbox";

/** File rights added by each version of Landlock, which rejects unknown ones. */
const FILES = (version: number): number =>
  version >= 5 ? 0xffff : version >= 3 ? 0x7fff : version === 2 ? 0x3fff : 0x1fff;

/** First versions that support ports and scopes; the structure has grown with each. */
const PORTS = 4;
const SCOPES = 6;
/** Before Linux 6.15, the signal scope also isolated threads of one process from each other. */
const SIGNALS = 7;

const REASONS: Readonly<Record<number, string>> = {
  [errnoNumber("EOPNOTSUPP")]: "Landlock is switched off; boot with landlock in the list `lsm=`",
  [errnoNumber("EPERM")]: "a seccomp filter refuses landlock_create_ruleset(2); allow it",
};

/** What stays allowed. */
export interface SandboxOptions {
  /** Folders below which the thread may read files; none by default. */
  readonly roots?: readonly string[] | undefined;
  /** Whether it may create, write and replace files there, too. @default {false} */
  readonly writes?: boolean | undefined;
  /** Port that it may connect to, if Landlock supports ports (Linux 6.7); none by default. */
  readonly port?: number | undefined;
  /** Whether it may connect to an abstract Unix socket. @default {false} */
  readonly abstract?: boolean | undefined;
  /** Addresses that it may connect to; none by default. */
  readonly addresses?: readonly AllowedAddress[] | undefined;
  /** Whether pairs of Unix stream sockets may be made. @default {false} */
  readonly pairs?: boolean | undefined;
  /** Whether sendmsg(2) may be called: a filter cannot read its target address. @default {false} */
  readonly messages?: boolean | undefined;
}

/**
 * Returns the version of Landlock.
 *
 * @throws {UnsupportedError} When Landlock is missing; names the remedy.
 */
export function landlock(): number {
  const version = raw.landlockVersion();
  if (version > 0) return version;
  const reason = REASONS[-version] ??
    "it needs Landlock: Linux 5.13 or later, built with CONFIG_SECURITY_LANDLOCK";
  throw new UnsupportedError({ action: ACTION, reason });
}

/**
 * Restricts the calling thread and its future threads permanently: by Landlock for opening files
 * and connecting, by a seccomp filter for calls that Landlock does not cover. Open descriptors keep
 * working. Threads that the runtime has already started are not restricted.
 *
 * @throws {UnsupportedError} When the kernel lacks Landlock or seccomp filters.
 */
export function restrictThread(
  { abstract = false, addresses = [], messages = false, pairs = false, ...more }: SandboxOptions,
): void {
  const { port, roots = [], writes = false } = more;
  const version = landlock();
  const ports = version >= PORTS ? LandlockPort.BIND_TCP | LandlockPort.CONNECT_TCP : 0;
  const scopes = (version >= SCOPES && !abstract ? LandlockScope.ABSTRACT_UNIX_SOCKET : 0) |
    (version >= SIGNALS ? LandlockScope.SIGNAL : 0);
  const size = version >= SCOPES ? 24 : version >= PORTS ? 16 : 8;
  const action = () => ACTION;
  const ruleset = check(
    landlockCreateRuleset(FILES(version), ports, scopes, size),
    "landlock_create_ruleset",
    action,
  );
  try {
    for (const root of roots) allowFolder(ruleset, root, writes ? writing(version) : READING);
    if (port !== undefined && ports !== 0) {
      const added = landlockAllowPort(ruleset, port, LandlockPort.CONNECT_TCP);
      check(added, "landlock_add_rule", action);
    }
    check(setNoNewPrivileges(), "prctl", action);
    check(landlockRestrictSelf(ruleset), "landlock_restrict_self", action);
  } finally {
    raw.close(ruleset);
  }
  if (forbidCalls(addresses, { messages, pairs, writes }) === 0) return;
  throw new UnsupportedError({
    action: ACTION,
    reason: "it needs seccomp filters: a kernel built with CONFIG_SECCOMP_FILTER",
  });
}

const READING = LandlockFile.READ_FILE | LandlockFile.READ_DIR;

/** Rights to store files. Links between folders need a right of their own, since version 2. */
function writing(version: number): number {
  const { MAKE_REG, REFER, REMOVE_FILE, WRITE_FILE } = LandlockFile;
  return READING | WRITE_FILE | REMOVE_FILE | MAKE_REG | (version >= 2 ? REFER : 0);
}

function allowFolder(ruleset: number, root: string, rights: number): void {
  const { CLOEXEC, DIRECTORY, PATH } = platform.open;
  const action = () => ACTION;
  const folder = check(raw.open(root, PATH | DIRECTORY | CLOEXEC, 0), "open", action);
  try {
    check(landlockAllowFolder(ruleset, folder, rights), "landlock_add_rule", action);
  } finally {
    raw.close(folder);
  }
}
