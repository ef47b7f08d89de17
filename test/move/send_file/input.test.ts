import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, symlinkSync } from "node:fs";
import { createConnection, createServer, Socket } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { platform } from "../../../ffi/platform/mod.ts";
import { sendFile } from "../../../src/move/send_file/send_file.ts";
import type { SendFileOptions, SendTarget } from "../../../src/move/send_file/types.ts";
import * as raw from "../../../src/sys/raw/mod.ts";
import { Folder, noise } from "../../_kit/bytes.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { target, TARGETS, withPair } from "../../_kit/targets.ts";

const folder = new Folder();
const content = noise(10_000);
const path = folder.file(content);
const fifo = join(folder.path, "fifo");
execFileSync("mkfifo", [fifo]);
mkdirSync(join(folder.path, "directory"));
symlinkSync("loop", join(folder.path, "loop"));
after(() => folder.remove());

interface Expected {
  readonly name: string;
  readonly code?: string;
  readonly syscall?: string;
  readonly message: RegExp;
}

/** Nothing has happened to a target whose source or options were refused: it can be used. */
async function assertRefused(
  source: unknown,
  options: unknown,
  { name, code, syscall, message }: Expected,
): Promise<void> {
  for (const row of TARGETS.filter(({ skip }) => !skip)) {
    await withPair(row, async ({ target, reader, end }) => {
      const sending = sendFile(target, source as string, options as SendFileOptions);
      await assert.rejects(sending, (error: Error & { code?: string; syscall?: string }) => {
        assert.equal(error.name, name, String(error));
        assert.equal(error.code, code, String(error));
        assert.match(error.message, message);
        if (syscall !== undefined) {
          assert.equal(error.syscall, syscall);
          assert.equal((error as { bytesMoved?: number }).bytesMoved, 0);
        }
        return true;
      });
      await sendFile(target, path);
      end();
      await reader.closed;
      await reader.expect(content, row.name);
    });
  }
}

const system = (code: string, syscall: string, message = /./): Expected => ({
  name: "SyscallError",
  code,
  syscall,
  message,
});

const warmUp = () => assertRefused(null, {}, { name: "TypeError", message: /./ });
describeWithoutLeaks("sendFile() refuses a source", { warmUp }, () => {
  it("that does not exist", () =>
    assertRefused(`${path}.missing`, {}, system("ENOENT", "open", /\.missing/)));

  it("under a path that is no directory", () =>
    assertRefused(`${path}/x`, {}, system("ENOTDIR", "open")));

  it("at the end of a circle of links", () =>
    assertRefused(join(folder.path, "loop"), {}, system("ELOOP", "open")));

  it("whose name is too long", () =>
    assertRefused(join(folder.path, "x".repeat(300)), {}, system("ENAMETOOLONG", "open")));

  it("that is a directory", () =>
    assertRefused(
      join(folder.path, "directory"),
      {},
      system("EISDIR", "sendfile", /which is a directory and not a file/),
    ));

  it("that is a FIFO, without waiting for its writer", () =>
    assertRefused(fifo, {}, system("EINVAL", "sendfile", /which is a pipe/)));

  it("that is a character device", () =>
    assertRefused("/dev/zero", {}, system("EINVAL", "sendfile", /character device/)));

  it("that is the path of a socket", async () => {
    const server = createServer();
    const socket = join(folder.path, "socket");
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    await assertRefused(socket, {}, system("ENXIO", "open"));
    await new Promise((resolve) => server.close(resolve));
  });

  it("that is a closed descriptor", async () => {
    const fd = raw.fcntl(0, platform.fcntl.DUPFD_CLOEXEC, 900);
    raw.close(fd);
    await assertRefused(fd, {}, system("EBADF", "statx", new RegExp(`fd ${fd}`)));
  });

  it("that is the descriptor of a pipe or a socket", async () => {
    const pipe = new Int32Array(2);
    const pair = new Int32Array(2);
    assert.equal(raw.pipe2(pipe, 0), 0);
    assert.equal(raw.socketpair(platform.socket.AF_UNIX, 1, 0, pair), 0);
    await assertRefused(pipe[0], {}, system("EINVAL", "sendfile", /which is a pipe/));
    await assertRefused(pair[0], {}, system("EINVAL", "sendfile", /which is a socket/));
    for (const fd of [...pipe, ...pair]) raw.close(fd);
  });

  for (const source of [undefined, null, true, {}, [], Symbol("s"), 10n, new Uint8Array(1)]) {
    it(`that is ${typeof source === "symbol" ? "a symbol" : JSON.stringify(source, String)}`, () =>
      assertRefused(source, {}, { name: "TypeError", message: /^Cannot (send|use) / }));
  }

  for (const source of [-1, 1.5, NaN, Infinity, { fd: -1 }, { fd: "1" }]) {
    it(`that is ${JSON.stringify(source)} (${source})`, () =>
      assertRefused(source, {}, {
        name: "TypeError",
        message: /^Cannot use .* as the source descriptor: expected an integer >= 0/,
      }));
  }

  it("whose path holds a NUL byte", () =>
    assertRefused("a\0b", {}, {
      name: "TypeError",
      code: "ERR_INVALID_ARG_VALUE",
      message: /null bytes/,
    }));

  it("that is a URL of another scheme", () =>
    assertRefused(new URL("http://localhost/x"), {}, {
      name: "TypeError",
      code: "ERR_INVALID_URL_SCHEME",
      message: /file/,
    }));
});

describe("sendFile() and a descriptor that cannot be read", () => {
  for (const name of ["accepted net.Socket", "tls.TLSSocket"]) {
    it(`rejects on: ${name}`, async () => {
      const fd = openSync(path, "a");
      await withPair(target(name), async ({ target }) => {
        await assert.rejects(sendFile(target, fd), { code: "EBADF", bytesMoved: 0 });
      });
      closeSync(fd);
    });
  }
});

describeWithoutLeaks("sendFile() refuses an option", { warmUp }, () => {
  const range = (message: RegExp): Expected => ({ name: "RangeError", message });
  const type = (message: RegExp): Expected => ({ name: "TypeError", message });
  const refuse = (options: unknown, expected: Expected) =>
    it(
      JSON.stringify(options, (_, value) => typeof value === "number" ? String(value) : value) ??
        String(options),
      () => assertRefused(path, options, expected),
    );

  for (const key of ["start", "end", "length"]) {
    for (const value of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      refuse(
        { [key]: value },
        range(new RegExp(`^Cannot send a file: ${key} is ${value}, but must`)),
      );
    }
    refuse({ [key]: "5" }, type(new RegExp(`${key} must be a number, not "5"`)));
    refuse({ [key]: null }, type(new RegExp(`${key} must be a number, not null`)));
  }
  refuse({ start: 5, end: 4 }, range(/end 4 is before start 5/));
  refuse({ end: 4, length: 4 }, type(/end or length, not both/));
  refuse({ start: 10_001 }, range(/from byte 10001: the file has 10000 bytes/));
  refuse({ chunkSize: 4095 }, range(/chunkSize is 4095, but must be in 4096\.\.2147479552/));
  refuse({ chunkSize: 2 ** 31 }, range(/chunkSize is 2147483648/));
  refuse({ chunkSize: 5000.5 }, range(/chunkSize is 5000.5/));
  refuse({ maxRate: 0 }, range(/maxRate is 0, but must be > 0/));
  refuse({ maxRate: -1 }, range(/maxRate is -1/));
  refuse({ maxRate: NaN }, range(/maxRate is NaN/));
  refuse({ maxRate: "1" }, type(/maxRate must be a number, not "1"/));
  refuse({ onProgress: 1 }, type(/onProgress must be a function, not number 1/));
  refuse({ signal: {} }, type(/signal must be an AbortSignal/));
  refuse({ signal: null }, type(/signal must be an AbortSignal, not null/));
  refuse({ stability: "safe" }, type(/stability must be "shared" or "copy", not "safe"/));
  refuse({ header: "text" }, type(/header must be a Uint8Array, not "text"/));
  refuse({ trailer: [1] }, type(/trailer must be a Uint8Array, not an instance of Array/));
  refuse(null, type(/options must be an object, not null/));
  refuse("x", type(/options must be an object, not "x"/));
});

describe("sendFile() refuses a target", () => {
  const refuse = (name: string, target: unknown, expected: Expected) =>
    it(name, async () => {
      await assert.rejects(
        sendFile(target as SendTarget, path),
        (error: Error & { code?: string }) => {
          assert.equal(error.name, expected.name, String(error));
          assert.equal(error.code, expected.code);
          assert.match(error.message, expected.message);
          return true;
        },
      );
    });
  const wrong: Expected = {
    name: "TypeError",
    message: /^Cannot send to .*: expected a ServerResponse/,
  };

  for (const value of [undefined, null, true, "stdout", 10n, {}, [], new Uint8Array(1), () => {}]) {
    refuse(`${typeof value} ${String(value)}`, value, wrong);
  }
  refuse("a Request", new Request("http://localhost/"), wrong);
  for (const value of [-1, 1.5, NaN, Infinity]) {
    refuse(`descriptor ${value}`, value, {
      name: "TypeError",
      message: /as the target descriptor: expected an integer >= 0/,
    });
  }
  refuse("a closed descriptor", 987_654, { name: "SyscallError", code: "EBADF", message: /./ });

  it("a descriptor that is open for reading only", async () => {
    const pipe = new Int32Array(2);
    assert.equal(raw.pipe2(pipe, platform.open.NONBLOCK), 0);
    await assert.rejects(sendFile(pipe[0]!, path), { code: "EBADF", bytesMoved: 0 });
    for (const fd of pipe) raw.close(fd);
  });

  it("a listening socket", async () => {
    const { AF_INET } = platform.socket;
    const fd = raw.socket(AF_INET, 1 | platform.open.NONBLOCK, 0);
    assert.equal(raw.listen(fd, 1), 0);
    await assert.rejects(sendFile(fd, path), ({ code }: { code: string }) => {
      assert.match(code, /^(EPIPE|ENOTCONN)$/);
      return true;
    });
    raw.close(fd);
  });

  it("a net.Socket that was never connected", async () => {
    await assert.rejects(sendFile(new Socket(), path), { code: "EPIPE", bytesMoved: 0 });
  });

  it("a net.Socket whose connection is refused", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const socket = createConnection(port, "127.0.0.1");
    socket.on("error", () => {});
    await assert.rejects(sendFile(socket, path), { code: "EPIPE", bytesMoved: 0 });
  });

  it("a response of an unknown kind", async () => {
    const double = { writeHead() {}, setHeader() {} };
    await assert.rejects(sendFile(double as unknown as SendTarget, path), TypeError);
  });

  for (const row of TARGETS.filter(({ kind }) => kind === "socket")) {
    it(`destroyed before: ${row.name}`, { skip: row.skip }, async () => {
      await withPair(row, async ({ target, destroy }) => {
        destroy();
        await assert.rejects(sendFile(target, path), { code: "EPIPE", bytesMoved: 0 });
      });
    });
  }
});
