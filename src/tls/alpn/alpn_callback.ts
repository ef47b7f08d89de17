/**
 * Answers ALPN without a callback into JavaScript.
 *
 * OpenSSL calls a C function to choose the protocol. Here it is a few lines of machine code that
 * search the client's list for `http/1.1`. The code lies in a sealed memfd that is mapped readable
 * and executable, like the fault guard's.
 *
 * @module
 */

import { platform } from "../../../ffi/platform/mod.ts";
import { check } from "../../sys/check.ts";
import { MapFlag, Protection } from "../../sys/flags/memory.ts";
import { sealedCode } from "../../sys/code_file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { addressIn, type Region } from "../../sys/region.ts";

/** The protocol to choose. */
export const PROTOCOL = "http/1.1";

/** `alpn_x64.s` and `alpn_arm64.s` beside this file, assembled; a test assembles them again. */
const CODE: Readonly<Record<"x64" | "arm64", string>> = {
  x64: "f30f1efa4d8b094589c04901c84c39c1731e0fb60148ffc183f808750e4c3909750948890ec6020831c0c348" +
    "01c1ebddb803000000c3",
  arm64:
    "5f2403d5a50040f96440248b7f0004eba201005466144038df20007101010054670040f9ff0005eba1000054" +
    "230000f94600003900008052c0035fd66340268bf3ffff1760008052c0035fd6",
};

/** Offset of the protocol's name, after the code. */
const NAME_OFFSET = 128;
const LENGTH = 4096;

/** Addresses to pass to `SSL_CTX_set_alpn_select_cb()`. */
export interface AlpnCallback {
  readonly callback: bigint;
  readonly argument: bigint;
}

let made: AlpnCallback | null | undefined;

/**
 * Returns the callback; `null` if the system refuses executable memory. Then ALPN is not answered,
 * which clients take as HTTP/1.1. Created once per thread and never freed: handshakes may use it.
 */
export function alpnCallback(): AlpnCallback | null {
  if (made !== undefined) return made;
  try {
    const region = build();
    return made = {
      callback: addressIn(region, 0, 1),
      argument: addressIn(region, NAME_OFFSET, PROTOCOL.length),
    };
  } catch {
    return made = null;
  }
}

function build(): Region {
  const bytes = new Uint8Array(LENGTH);
  bytes.set(alpnCode(platform.arch));
  bytes.set(new TextEncoder().encode(PROTOCOL), NAME_OFFSET);
  const fd = sealedCode("sluice-alpn", bytes, LENGTH, "ALPN");
  try {
    const protection = Protection.READ | Protection.EXEC;
    return check(
      raw.mmap(LENGTH, protection, MapFlag.SHARED, fd, 0),
      "mmap",
      () => "map the code that answers ALPN",
    );
  } finally {
    raw.close(fd);
  }
}

/** Returns the machine code for a processor. */
export function alpnCode(arch: "x64" | "arm64"): Uint8Array<ArrayBuffer> {
  const hex = CODE[arch];
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.substr(i * 2, 2), 16));
}
