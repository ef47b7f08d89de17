/** Reads what network cards do themselves: gather, checksum, segment. @module */

import { backend } from "../../ffi/mod.ts";
import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import * as raw from "../sys/raw/mod.ts";
import { attempt } from "./attempt.ts";
import { readProc } from "./proc.ts";

/** Commands of ethtool that query one flag; `include/uapi/linux/ethtool.h`. */
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_GSG = 0x18;
const ETHTOOL_GTSO = 0x1e;
const DATAGRAM = 2;
const RDMA = "/sys/class/infiniband";
const RDMA_LIBRARY = "librdmacm.so.1";

/** A network interface. A property is `null` if the driver does not report it. */
export interface NetworkInterface {
  /** Name, such as `"eth0"`. */
  readonly name: string;
  /** Whether the card gathers data from scattered pages. Without this, sendfile copies once. */
  readonly scatterGather: boolean | null;
  /** Whether the card computes checksums. */
  readonly transmitChecksum: boolean | null;
  /** Whether the card segments large packets (TSO). */
  readonly segmentation: boolean | null;
}

/** Network hardware of this machine. */
export interface NetworkCapabilities {
  /** All interfaces, including loopback. */
  readonly interfaces: readonly NetworkInterface[];
  /** Names of RDMA devices; `null` if the list is not readable. */
  readonly rdma: readonly string[] | null;
  /** Name of librdmacm, which programs use RDMA through; `null` if it is missing. */
  readonly rdmaLibrary: string | null;
}

/** Queries all interfaces, and lists RDMA devices. */
export function probeNetwork(): NetworkCapabilities {
  const interfaces: NetworkInterface[] = [];
  attempt((scope) => {
    const type = DATAGRAM | platform.socket.SOCK_CLOEXEC;
    const socket = scope.fd(raw.socket(platform.socket.AF_INET, type, 0), "socket");
    const ask = (name: string, command: number) => {
      const value = raw.ethtool(socket, name, command);
      return value < 0 ? null : value !== 0;
    };
    for (const name of interfaceNames()) {
      interfaces.push({
        name,
        scatterGather: ask(name, ETHTOOL_GSG),
        transmitChecksum: ask(name, ETHTOOL_GTXCSUM),
        segmentation: ask(name, ETHTOOL_GTSO),
      });
    }
    return "";
  });
  return { interfaces, rdma: rdmaDevices(), rdmaLibrary: rdmaLibrary() };
}

/** Returns the names in `/proc/net/dev`, after its two heading lines. */
function interfaceNames(): string[] {
  const lines = (readProc("/proc/net/dev") ?? "").split("\n").slice(2);
  return lines.map((line) => line.slice(0, line.indexOf(":")).trim()).filter((name) => name !== "");
}

function rdmaDevices(): string[] | null {
  // Tries a system call first: `fs` would make Deno ask the user for a missing permission.
  const fd = raw.open(RDMA, platform.open.DIRECTORY | platform.open.CLOEXEC, 0);
  if (fd < 0) return [];
  raw.close(fd);
  try {
    return builtin("fs").readdirSync(RDMA);
  } catch {
    return null;
  }
}

function rdmaLibrary(): string | null {
  try {
    backend().bind(RDMA_LIBRARY, { rsocket: { args: ["i32", "i32", "i32"], returns: "i32" } });
    return RDMA_LIBRARY;
  } catch {
    return null;
  }
}
