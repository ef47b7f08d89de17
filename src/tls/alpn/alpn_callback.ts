/**
 * Answering ALPN without a callback into JavaScript.
 *
 * OpenSSL asks a C function which protocol to use. Ours is a few lines of machine code that look for
 * `http/1.1` in the client's list. The code lies in a sealed memfd that is mapped readable and
 * executable, as that of the fault guard does.
 *
 * @module
 */

import { platform } from "../../../ffi/platform/mod.ts";
import { check } from "../../sys/check.ts";
import { MapFlag, Protection } from "../../sys/flags/memory.ts";
import { sealedCode } from "../../sys/code_file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { addressIn, type Region } from "../../sys/region.ts";

/** The protocol that is chosen. */
export const PROTOCOL = "http/1.1";

/** `alpn_x64.s` and `alpn_arm64.s` beside this file, assembled; a test assembles them again. */
const CODE: Readonly<Record<"x64" | "arm64", string>> = {
  x64: "f30f1efa4d8b094589c04901c84c39c1731e0fb60148ffc183f808750e4c3909750948890ec6020831c0c348" +
    "01c1ebddb803000000c3",
  arm64:
    "5f2403d5a50040f96440248b7f0004eba201005466144038df20007101010054670040f9ff0005eba1000054" +
    "230000f94600003900008052c0035fd66340268bf3ffff1760008052c0035fd6",
};

/** Where the protocol's name lies, behind the code. */
const NAME_OFFSET = 128;
const LENGTH = 4096;

/** Addresses to be given to `SSL_CTX_set_alpn_select_cb()`. */
export interface AlpnCallback {
  readonly callback: bigint;
  readonly argument: bigint;
}

let made: AlpnCallback | null | undefined;

/**
 * Returns the callback; `null` where executable memory is refused: ALPN is then not answered, which
 * clients take for HTTP/1.1. Made once per thread and never given back: handshakes may be using it.
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

/** The machine code for a processor. */
export function alpnCode(arch: "x64" | "arm64"): Uint8Array<ArrayBuffer> {
  const hex = CODE[arch];
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.substr(i * 2, 2), 16));
}
