import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { EVENTS } from "../../ffi/libc/events.ts";
import { FILES } from "../../ffi/libc/files.ts";
import { fold, libc, libraryName } from "../../ffi/libc/mod.ts";
import { PIPES } from "../../ffi/libc/pipes.ts";
import { SOCKETS } from "../../ffi/libc/sockets.ts";
import { CRYPTO } from "../../ffi/libssl/crypto.ts";
import { SSL } from "../../ffi/libssl/ssl.ts";
import { backend, builtinModule } from "../../ffi/mod.ts";
import { type NodeFfi, pointersAreDirect } from "../../ffi/node.ts";
import { CALLS } from "../../ffi/node_calls.ts";
import type { Signature } from "../../ffi/types.ts";
import * as raw from "../../src/sys/raw/mod.ts";
import { withFile } from "../_kit/temp.ts";

const TABLE: Record<string, Signature> = {
  ...FILES,
  ...PIPES,
  ...EVENTS,
  ...SOCKETS,
  ...SSL,
  ...CRYPTO,
};
const NOT_NODE_FFI = backend().name === "node" ? false : "only node:ffi wraps its functions";
const EPOLL_IN = 1;
const RESET_POSITION = 0;

describe("CALLS of node:ffi", () => {
  it("have the arguments of the functions that they call, and no buffers", () => {
    for (const [name, wrap] of Object.entries(CALLS)) {
      const signature = TABLE[name];
      assert.ok(signature !== undefined, `${name} is in no table`);
      assert.equal(wrap(() => 0).length, signature.args.length, name);
      assert.ok(!signature.args.includes("buffer"), `${name} takes a buffer`);
    }
  });

  it("convert integers, and pass addresses on", () => {
    for (const [name, wrap] of Object.entries(CALLS)) {
      const args = TABLE[name]!.args.map((type) => type === "i32" || type === "u32" ? -1 : 7n);
      const expected = TABLE[name]!.args.map((type) =>
        type === "i32" || type === "u32" ? 2n ** 64n - 1n : 7n
      );
      let seen: unknown[] = [];
      const call = wrap((...given) => {
        seen = given;
        return 5;
      }) as (...args: unknown[]) => unknown;
      assert.equal(call(...args), 5, name);
      assert.deepEqual(seen.slice(0, args.length), expected, name);
    }
  });

  it("reach the function without a wrapper, or are not used where Node.js makes one", {
    skip: NOT_NODE_FFI,
  }, () => {
    const ffi = builtinModule("node:ffi") as NodeFfi;
    const direct = pointersAreDirect(ffi);
    // Node.js 26.12.1 makes wrappers; a later one may do without again.
    if (/^v26\.10\./.test(process.version)) assert.ok(direct);
    const names = Object.keys(CALLS).filter((name) => Object.hasOwn(libc(), name));
    const table = Object.fromEntries(names.map((name) => {
      const types = new Array(Math.max(2, TABLE[name]!.args.length)).fill("pointer");
      return [name, { arguments: types, return: "int32" }];
    }));
    const { functions } = ffi.dlopen(libraryName(), table);
    for (const name of names) {
      assert.equal(String(functions[name]).includes("[native code]"), direct, name);
      const bound = (libc() as unknown as Record<string, unknown>)[name];
      assert.equal(/\bword\(|SURPLUS/.test(String(bound)), direct, name);
    }
  });
});

describe(`integers that the ${backend().name} backend passes in frequent calls`, () => {
  it("keep their sign, as offsets and as limits of time", () => {
    withFile("offset", (fd) => {
      const byte = new Uint8Array(1);
      assert.equal(raw.lseek(fd, 2, RESET_POSITION), 2);
      // -1 means the position of the file.
      assert.equal(raw.preadv2(fd, byte, -1, 0), 1);
      assert.equal(byte[0], "f".charCodeAt(0));
      assert.equal(raw.lseek(fd, 0, 1), 3);
    });
    const wake = raw.eventfd(1, 0);
    const set = raw.epollCreate1(0);
    const events = new raw.EventList(1);
    assert.equal(raw.epollCtl(set, 1, wake, EPOLL_IN), 0);
    assert.equal(events.wait(set, -1), 1);
    assert.equal(raw.close(set), 0);
    assert.equal(raw.close(wake), 0);
  });

  it("are the same after thousands of calls", () => {
    for (let i = 0; i < 20_000; i++) {
      const fd = -1 - (i % 3);
      if (fold(libc().close(fd)) !== -9) assert.fail(`close(${fd}), call ${i}`);
      if (raw.accept4(fd, 0) !== -9) assert.fail(`accept4(${fd}), call ${i}`);
      if (raw.sendfile(fd, fd, 2 ** 33 + i, 2 ** 31 - 1) !== -9) assert.fail(`sendfile, call ${i}`);
    }
  });
});
