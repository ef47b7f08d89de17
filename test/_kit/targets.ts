/** Every kind of target that `sendFile` supports, with a peer at its other end. @module */

import { bypassesHttp } from "./serve.ts";
import type { SendMethod, SendTarget } from "../../src/move/send_file/types.ts";
import { runtime } from "../../ffi/mod.ts";
import type { Reader } from "./bytes.ts";
import * as bun from "./targets_bun.ts";
import * as deno from "./targets_deno.ts";
import * as descriptor from "./targets_descriptor.ts";
import * as net from "./targets_net.ts";
import * as response from "./targets_response.ts";

/** A target and its reader. */
export interface Pair {
  readonly target: SendTarget;
  /** The bytes that the peer receives; for a response, only the body. */
  readonly reader: Reader;
  /** Writes as the owner of the target would, without waiting; `null` if that is impossible. */
  readonly write: ((bytes: Uint8Array) => void) | null;
  /**
   * Writes until the runtime buffers bytes for a peer that does not read. The returned function
   * returns everything written, once the peer has read on. `null` if nothing is ever buffered.
   */
  readonly queue: (() => Promise<() => Promise<Uint8Array>>) | null;
  /** Ends the target normally, so that the peer sees its end; a response has already been ended. */
  end(): void;
  /** Makes the peer disconnect by a reset. */
  reset(): void;
  /** Destroys the target, as its owner would. */
  destroy(): void;
  /** Frees everything. */
  close(): Promise<void>;
}

/** One kind of target. */
export interface Target {
  readonly name: string;
  readonly kind: "socket" | "response" | "descriptor";
  /** How the bytes should move on this runtime. */
  readonly method: SendMethod;
  /** The same for a number of bytes, of which some runtimes copy few. */
  methodFor(bytes: number): SendMethod;
  /** Reason why this runtime has no such target. */
  readonly skip: string | false;
  open(): Promise<Pair>;
}

/** The runtime under test. */
export const RUNTIME: "node" | "bun" | "deno" = runtime().name as "node" | "bun" | "deno";

const onlyBun = RUNTIME === "bun" ? false : "only Bun has Bun.listen and Bun.connect";
const onlyDeno = RUNTIME === "deno" ? false : "only Deno has Deno.listen and Deno.connect";

// Reasons for a copy:
// - encrypted: the kernel would send the file's bytes in plain text;
// - HTTP/2: its frames share the connection with other streams;
// - Deno exposes the descriptor only of accepted TCP connections.

/** All targets, on every runtime: those that it lacks are skipped with the reason. */
export const TARGETS: readonly Target[] = [
  row("response of node:http", "response", "sendfile", response.openHttp),
  row("response of node:https", "response", "copy", response.openHttps),
  row("response of node:http2", "response", "copy", response.openHttp2),
  row("accepted net.Socket", "socket", "sendfile", net.openAccepted),
  row("connected net.Socket", "socket", "sendfile", net.openConnected),
  row("net.Socket on a Unix path", "socket", "sendfile", net.openUnix),
  row("tls.TLSSocket", "socket", "copy", net.openTls),
  row("socket of Bun.listen", "socket", "sendfile", bun.openListen, onlyBun),
  row("socket of Bun.connect", "socket", "sendfile", bun.openConnect, onlyBun),
  row("TLS socket of Bun.listen", "socket", "copy", bun.openListenTls, onlyBun),
  row("conn of Deno.listen", "socket", "sendfile", deno.openListen, onlyDeno),
  row("conn of Deno.connect", "socket", "copy", deno.openConnect, onlyDeno),
  row("conn of Deno.listen on a Unix path", "socket", "copy", deno.openUnix, onlyDeno),
  row("conn of Deno.listenTls", "socket", "copy", deno.openTls, onlyDeno),
  row("descriptor of a TCP socket", "descriptor", "sendfile", descriptor.openTcp),
  row("descriptor of a pipe", "descriptor", "splice", descriptor.openPipe),
];

/** The targets whose bytes go through the descriptor of a runtime's socket. */
export const GUESTS: readonly Target[] = TARGETS.filter(({ kind, method }) =>
  kind !== "descriptor" && method === "sendfile"
);

/** Returns the target of this name. */
export function target(name: string): Target {
  const found = TARGETS.find((row) => row.name === name);
  if (found === undefined) throw new Error(`Cannot find target ${name}`);
  return found;
}

/** Opens a target, and always closes it. */
export async function withPair<T>(
  target: Target,
  body: (pair: Pair) => Promise<T>,
): Promise<T> {
  const pair = await target.open();
  try {
    return await body(pair);
  } finally {
    await pair.close();
  }
}

function row(
  name: string,
  kind: Target["kind"],
  method: SendMethod,
  open: Target["open"],
  skip: Target["skip"] = false,
): Target {
  const methodFor = (bytes: number): SendMethod => {
    if (bytes === 0) return "none";
    return kind === "response" && !bypassesHttp(bytes) ? "copy" : method;
  };
  return { name, kind, method, methodFor, open, skip };
}
