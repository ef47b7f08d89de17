/** What the network cards can do: whether they gather, checksum and cut segments by themselves. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { builtin } from "../builtins.ts";
import * as raw from "../sys/raw/mod.ts";
import { attempt } from "./attempt.ts";
import { readProc } from "./proc.ts";

/** Commands of ethtool that ask for one flag; `include/uapi/linux/ethtool.h`. */
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_GSG = 0x18;
const ETHTOOL_GTSO = 0x1e;
const DATAGRAM = 2;
const RDMA = "/sys/class/infiniband";

/** One network interface. Each answer is `null` where the driver does not tell. */
export interface NetworkInterface {
  /** Such as `"eth0"`. */
  readonly name: string;
  /** Whether the card gathers what it sends from scattered pages: without it, sendfile copies once. */
  readonly scatterGather: boolean | null;
  /** Whether the card computes checksums. */
  readonly transmitChecksum: boolean | null;
  /** Whether the card cuts large segments (TSO). */
  readonly segmentation: boolean | null;
}

/** What is known of the network hardware. */
export interface NetworkCapabilities {
  /** Every interface, loopback too. */
  readonly interfaces: readonly NetworkInterface[];
  /** Names of RDMA devices; `null` where the list cannot be read. */
  readonly rdma: readonly string[] | null;
}

/** Asks every interface, and lists RDMA devices. */
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
  return { interfaces, rdma: rdmaDevices() };
}

/** Names in `/proc/net/dev`, which has two lines of headings. */
function interfaceNames(): string[] {
  const lines = (readProc("/proc/net/dev") ?? "").split("\n").slice(2);
  return lines.map((line) => line.slice(0, line.indexOf(":")).trim()).filter((name) => name !== "");
}

function rdmaDevices(): string[] | null {
  // Asked first by a call of our own: where Deno lacks a permission, it would ask the user.
  const fd = raw.open(RDMA, platform.open.DIRECTORY | platform.open.CLOEXEC, 0);
  if (fd < 0) return [];
  raw.close(fd);
  try {
    return builtin("fs").readdirSync(RDMA);
  } catch {
    return null;
  }
}
