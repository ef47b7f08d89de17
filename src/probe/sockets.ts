/** Tries what sockets support, on a connection of this process to itself. @module */

import { platform } from "../../ffi/platform/mod.ts";
import { decodeAddress, encodeAddress, MAX_ADDRESS } from "../sys/net/address.ts";
import * as raw from "../sys/raw/mod.ts";
import { attempt, type Mechanism, type Scope } from "./attempt.ts";

const { socket: numbers, message } = platform;
const STREAM = 1;
const TCP = 6;

/** Opens a socket to send to: TCP over loopback, or a Unix socket if loopback is down. */
export function sendingSocket(scope: Scope): { fd: number; kind: string } {
  try {
    return { fd: tcpPair(scope)[0], kind: "TCP socket" };
  } catch {
    const make = (fds: Int32Array) => raw.socketpair(numbers.AF_UNIX, STREAM, 0, fds);
    return { fd: scope.pair(make, "socketpair")[0], kind: "Unix socket" };
  }
}

/** Opens both ends of a TCP connection over loopback; throws if that fails. */
function tcpPair(scope: Scope): [number, number] {
  try {
    return connectToSelf(scope);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`no TCP connection over loopback (${message})`, { cause });
  }
}

function connectToSelf(scope: Scope): [number, number] {
  const type = STREAM | numbers.SOCK_CLOEXEC;
  const listener = scope.fd(raw.socket(numbers.AF_INET, type, 0), "socket");
  const address = encodeAddress({ family: "IPv4", address: "127.0.0.1", port: 0 });
  scope.need(raw.bind(listener, address), "bind");
  scope.need(raw.listen(listener, 1), "listen");
  const bytes = new Uint8Array(MAX_ADDRESS);
  const length = scope.need(raw.getsockname(listener, bytes), "getsockname");
  const near = scope.fd(raw.socket(numbers.AF_INET, type, 0), "socket");
  // The kernel itself accepts a loopback connection, so this does not wait.
  const there = encodeAddress(decodeAddress(bytes.subarray(0, length)));
  scope.need(raw.connect(near, there), "connect");
  const far = scope.fd(raw.accept4(listener, numbers.SOCK_CLOEXEC), "accept4");
  return [near, far];
}

/** Tries kernel TLS. */
export function probeKernelTls(): Mechanism {
  return attempt((scope) => {
    const [near] = tcpPair(scope);
    const name = new TextEncoder().encode("tls");
    scope.need(raw.setsockoptBytes(near, TCP, numbers.TCP_ULP, name), "setsockopt TCP_ULP");
    return "TLS records made by the kernel";
  }, {
    ENOENT: "load the module: `modprobe tls` (the kernel needs CONFIG_TLS)",
    EPERM: "load the module as root: `modprobe tls`",
    otherwise: "needs Linux 4.13 or later, built with CONFIG_TLS",
  });
}

/** Tries kernel TLS and zero-copy sending from memory. */
export function probeSockets(): Record<"ktls" | "msgZerocopy", Mechanism> {
  return {
    ktls: probeKernelTls(),
    msgZerocopy: attempt((scope) => {
      const [near] = tcpPair(scope);
      const { SOL_SOCKET, SO_ZEROCOPY } = numbers;
      scope.need(raw.setsockopt(near, SOL_SOCKET, SO_ZEROCOPY, 1), "setsockopt SO_ZEROCOPY");
      const flags = message.ZEROCOPY | message.DONTWAIT;
      scope.need(raw.send(near, new Uint8Array(4096), flags), "send MSG_ZEROCOPY");
      return "memory to TCP socket; over loopback, the kernel copies anyway";
    }, {
      ENOBUFS: "raise `ulimit -l` (locked memory) or `sysctl net.core.optmem_max`",
      otherwise: "needs Linux 4.14 or later",
    }),
  };
}
