import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { sendFile } from "../../../src/mod.ts";
import { Folder, noise, sha256 } from "../../_kit/bytes.ts";
import * as sys from "../../../src/sys/mod.ts";
import { congestion, NO_BBR, setCongestion, withControl } from "../../_kit/congestion.ts";
import { RUNTIME } from "../../_kit/targets.ts";
import { unpaceListener } from "../../../src/sys/net/loopback.ts";
import { until } from "../_broadcast.ts";

const folder = new Folder();
after(() => folder.remove());

/** More than the buffers of a connection on loopback hold. */
const BYTES = noise(24 * 1024 * 1024);

describe("sendFile() to a paced connection on loopback", () => {
  it("does without the pacing, and gives it back in the end", { skip: NO_BBR }, async () => {
    await withControl("bbr", async (fd, reader) => {
      reader.stream.pause();
      const running = sendFile(fd, folder.file(BYTES));
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      reader.stream.resume();
      await running;
      assert.equal(congestion(fd), "bbr\0");
      assert.equal(sha256(await reader.take(BYTES.length)), sha256(BYTES));
    });
  });

  it("gives it back when it is aborted", { skip: NO_BBR }, async () => {
    const abort = new AbortController();
    await withControl("bbr", async (fd, reader) => {
      reader.stream.pause();
      const running = sendFile(fd, folder.file(BYTES), { signal: abort.signal });
      await until(() => congestion(fd) === "reno", "the connection is not paced");
      abort.abort();
      await assert.rejects(running, { name: "AbortError" });
    });
  });
});

/** Reason why `Bun.listen` cannot be tested. */
const NOT_BUN = RUNTIME === "bun" ? false : "an API of Bun";

/** Runs `task` with the descriptor of a listener of `node:net`. */
function ofListener<T>(server: Server, task: (fd: number) => T): T {
  const { _handle: handle } = server as unknown as {
    _handle: { fd?: number; fdForIpc?(): number };
  };
  if (handle.fdForIpc === undefined) return task(handle.fd!);
  const fd = handle.fdForIpc();
  try {
    return task(fd);
  } finally {
    sys.close(fd);
  }
}

/** Downloads everything from a server that sends one file and ends; returns the hash. */
async function download(port: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  const socket = connect(port, "127.0.0.1");
  socket.on("data", (piece) => pieces.push(piece as Uint8Array));
  await once(socket, "close");
  return sha256(Buffer.concat(pieces));
}

/** Serves a file on `host` with BBR, twice; returns the listener's congestion control at the end. */
async function servedTwice(host: string, bytes: Uint8Array): Promise<string> {
  const path = folder.file(bytes);
  const results: Promise<unknown>[] = [];
  const server = createServer((socket: Socket) => {
    results.push(sendFile(socket, path).then(() => socket.end()));
  }).listen(0, host);
  await once(server, "listening");
  try {
    ofListener(server, (fd) => assert.ok(setCongestion(fd, "bbr")));
    const { port } = server.address() as AddressInfo;
    for (let round = 0; round < 2; round++) assert.equal(await download(port), sha256(bytes));
    await Promise.all(results);
    return ofListener(server, congestion);
  } finally {
    server.close();
  }
}

describe("sendFile() to a connection that a paced listener accepted", { skip: NO_BBR }, () => {
  it("lets the later connections begin without pacing", async () => {
    assert.equal(await servedTwice("127.0.0.1", BYTES), "reno");
  });

  it("leaves a listener alone that other machines can reach", async () => {
    assert.equal(await servedTwice("0.0.0.0", BYTES), "bbr\0");
  });

  it("leaves a listener alone for a few bytes", async () => {
    assert.equal(await servedTwice("127.0.0.1", BYTES.subarray(0, 64 * 1024)), "bbr\0");
  });

  it("finds the listener of a socket of Bun.listen", { skip: NOT_BUN }, async () => {
    const path = folder.file(BYTES);
    const { Bun } = globalThis as unknown as { Bun: { listen(options: unknown): BunListener } };
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket: { end(): void }) =>
          void sendFile(socket as never, path).then(() => socket.end()),
        data() {},
      },
    });
    try {
      assert.ok(setCongestion(listener.fd, "bbr"));
      assert.equal(await download(listener.port), sha256(BYTES));
      assert.equal(congestion(listener.fd), "reno");
    } finally {
      listener.stop();
    }
  });

  it("does not touch a descriptor that is not the listener", () => {
    const listener = sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM);
    const other = sys.socket(sys.AddressFamily.INET, sys.SocketType.STREAM);
    try {
      for (const fd of [listener, other]) assert.ok(setCongestion(fd, "bbr"));
      // Not listening.
      unpaceListener(listener, other);
      assert.equal(congestion(listener), "bbr\0");
      for (const fd of [listener, other]) {
        sys.bind(fd, { family: "IPv4", address: "127.0.0.1", port: 0 });
        sys.listen(fd, 1);
      }
      // Listening on another port.
      unpaceListener(listener, other);
      assert.equal(congestion(listener), "bbr\0");
    } finally {
      for (const fd of [listener, other]) sys.close(fd);
    }
  });
});

interface BunListener {
  readonly fd: number;
  readonly port: number;
  stop(): void;
}
