import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { after, describe, it } from "node:test";
import { createReadStream } from "../../src/move/read_stream/read_stream.ts";
import { sendFile } from "../../src/move/send_file/send_file.ts";
import type { SendTarget } from "../../src/move/send_file/types.ts";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { download, NO_DESCRIPTOR, recording } from "../_kit/serve.ts";
import { RUNTIME, type Target, TARGETS, withPair } from "../_kit/targets.ts";

const folder = new Folder();
const content = noise(300_001);
const path = folder.file(content);

after(() => folder.remove());

const targetNamed = (name: string): Target => TARGETS.find((target) => target.name === name)!;

/** Lets a property of the runtime say something else. */
function replace(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, configurable: true });
}

const handleOf = (target: SendTarget) => (target as unknown as { _handle: object })._handle;

/** The target, with the descriptor of something else where its kind shows its own. */
const SHOWS: Record<string, (target: SendTarget, fd: number) => SendTarget> = {
  "accepted net.Socket": (target, fd) => {
    // Deno returns a duplicate, which the caller closes.
    if (RUNTIME !== "deno") replace(handleOf(target), "fd", fd);
    else replace(handleOf(target), "fdForIpc", () => openSync(`/dev/fd/${fd}`, "r"));
    return target;
  },
  "socket of Bun.listen": (target, fd) => {
    replace(target as object, "fd", fd);
    return target;
  },
  // Its property cannot be replaced.
  "conn of Deno.listen": (target, fd) => {
    const conn = target as unknown as Record<string, (...args: unknown[]) => unknown>;
    const methods = ["read", "write", "close", "closeWrite", "setNoDelay"].map((name) => [
      name,
      (...args: unknown[]) => conn[name]!(...args),
    ]);
    const { localAddr, remoteAddr } = target as unknown as Record<string, unknown>;
    return {
      ...Object.fromEntries(methods),
      localAddr,
      remoteAddr,
      [Symbol("Deno.internal.fd")]: fd,
    } as SendTarget;
  },
};

describe("a runtime that shows the descriptor of something else", () => {
  for (const [name, show] of Object.entries(SHOWS)) {
    const row = targetNamed(name);
    it(`gets no bytes by it: ${name}`, { skip: row.skip }, async () => {
      const fd = openSync(path, "r");
      try {
        await withPair(row, async ({ target, reader, end }) => {
          const { method, bytes } = await sendFile(show(target, fd), path);
          end();
          assert.equal(method, "copy");
          assert.equal(bytes, content.length);
          assert.equal(await reader.closed, "end");
          await reader.expect(content);
        });
        assert.equal(fstatSync(fd).size, content.length);
      } finally {
        closeSync(fd);
      }
    });

    it(`gets them by the right one afterwards: ${name}`, { skip: row.skip }, async () => {
      await withPair(row, async ({ target, reader, end }) => {
        assert.equal((await sendFile(target, path)).method, "sendfile");
        end();
        await reader.closed;
        await reader.expect(content);
      });
    });
  }

  const row = targetNamed("accepted net.Socket");
  const skip = RUNTIME === "node" ? false : "only Node.js tells what libuv holds back";
  it("copies where the size of the queue is hidden", { skip }, async () => {
    await withPair(row, async ({ target, reader, end }) => {
      replace(handleOf(target), "writeQueueSize", undefined);
      assert.equal((await sendFile(target, path)).method, "copy");
      end();
      await reader.closed;
      await reader.expect(content);
    });
  });
});

/** Fields of a response that say something else, or nothing; each is set before the head is sent. */
const RESPONSES: Record<string, (response: ServerResponse) => void> = {
  "_headerSent missing": (response) => replace(response, "_headerSent", undefined),
  "_hasBody of another kind": (response) => replace(response, "_hasBody", 1),
  "_header missing": (response) => replace(response, "_header", undefined),
  "chunkedEncoding missing": (response) => replace(response, "chunkedEncoding", undefined),
};

describe("a runtime whose responses changed", () => {
  for (const [name, change] of Object.entries(RESPONSES)) {
    for (const way of ["sendFile()", "pipe()"]) {
      it(`gets a copy: ${name}, ${way}`, { skip: NO_DESCRIPTOR }, async () => {
        const { body, sent } = await download((_, response) => {
          response.setHeader("Content-Length", content.length);
          change(response);
          if (way === "pipe()") createReadStream(path).pipe(response);
          else sendFile(response, path).catch(() => response.destroy());
        });
        assert.equal(sha256(body), sha256(content));
        assert.equal(sent, 0);
      });
    }
  }
});

/** Fields of a stream that mean something else. */
const STREAMS: Record<string, (stream: ReturnType<typeof createReadStream>) => void> = {
  "bytesRead computed": (stream) => {
    let count = 0;
    Object.defineProperty(stream, "bytesRead", {
      get: () => count,
      set: (value: number) => count = value,
    });
  },
  "bytesRead counted otherwise": (stream) => void (stream.bytesRead = 0.5),
  "end as text": (stream) => replace(stream, "end", `${content.length - 1}`),
};

describe("a runtime whose file streams changed", () => {
  for (const [name, change] of Object.entries(STREAMS)) {
    it(`reads as ever: ${name}`, async () => {
      await withPair(targetNamed("accepted net.Socket"), async ({ target, reader }) => {
        const { sent } = await recording(async () => {
          const stream = createReadStream(path, { start: 0 });
          change(stream);
          stream.pipe(target as unknown as NodeJS.WritableStream);
          await reader.closed;
        });
        assert.equal(sent, 0);
        await reader.expect(content);
      });
    });
  }
});
