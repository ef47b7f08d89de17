/** The congestion control of a connection: see tcp(7). @module */

import assert from "node:assert/strict";
import * as sys from "../../src/sys/mod.ts";
import type { Pair } from "./targets.ts";
import { openTcp } from "./targets_descriptor.ts";

/** Sets the congestion control of a connection; returns whether the kernel has it. */
export function setCongestion(fd: number, name: string): boolean {
  const { CONGESTION } = sys.TcpOption;
  const bytes = new TextEncoder().encode(name);
  return sys.raw.setsockoptBytes(fd, sys.SocketLevel.TCP, CONGESTION, bytes) === 0;
}

/** The first four bytes of its name. */
export function congestion(fd: number): string {
  const out = new Int32Array(1);
  const { CONGESTION } = sys.TcpOption;
  assert.equal(sys.raw.getsockopt(fd, sys.SocketLevel.TCP, CONGESTION, out), 0);
  return new TextDecoder().decode(out);
}

function hasBbr(): boolean {
  const fd = sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM);
  const has = setCongestion(fd, "bbr");
  sys.close(fd);
  return has;
}

/** Reason why pacing is impossible here; `false` if it works. */
export const NO_BBR: string | false = hasBbr() ? false : "this kernel offers no BBR to this user";

/**
 * Runs `task` on a loopback connection with a congestion control, which must be restored in the
 * end.
 */
export async function withControl(
  name: string,
  task: (fd: number, reader: Pair["reader"]) => Promise<void>,
): Promise<void> {
  const pair = await openTcp();
  try {
    const fd = pair.target as number;
    assert.ok(setCongestion(fd, name));
    await task(fd, pair.reader);
    assert.equal(congestion(fd).replace(/\0.*$/, ""), name);
  } finally {
    await pair.close();
  }
}
