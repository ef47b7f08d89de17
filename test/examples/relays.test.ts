import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SocketAddress } from "../../src/sys/mod.ts";
import { noise, sha256 } from "../_kit/bytes.ts";
import { type ChildResult, runChild } from "../_kit/child.ts";
import { exchange, Listener, Peer } from "../_kit/peer.ts";

/** Runs an example; `use` gets the address that it prints first, and ends it by `kill`. */
function run(
  name: string,
  args: readonly string[],
  use: (address: SocketAddress, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<ChildResult> {
  let used = false;
  return runChild(new URL(`../../examples/${name}`, import.meta.url), {
    args,
    timeoutMs: 60_000,
    onOutput(output, kill) {
      const end = output.indexOf("\n");
      if (end < 0 || used) return;
      used = true;
      use(JSON.parse(output.slice(0, end)), kill);
    },
  });
}

describe("examples/splice_echo.ts", () => {
  it("gives everybody back what they send", async () => {
    const { signal, stderr } = await run("splice_echo.ts", [], (address, kill) => {
      const peers = Array.from({ length: 5 }, () => Peer.connect(address));
      peers.forEach((peer, i) => peer.send(`hello ${i}`));
      peers.forEach((peer, i) => peer.receives(`hello ${i}`));
      const bytes = noise(8 * 1024 * 1024);
      const { back } = exchange(peers[0]!, peers[0]!, new Uint8Array(0), bytes);
      assert.equal(sha256(back), sha256(bytes));
      peers[1]!.end();
      peers[1]!.receivesEnd();
      peers[2]!.reset();
      peers[3]!.send("still there");
      peers[3]!.receives("still there");
      for (const peer of peers) peer.close();
      kill("SIGTERM");
    });
    assert.equal(signal, "SIGTERM", stderr);
  });
});

describe("examples/tcp_relay.ts", () => {
  it("relays, and sums up when it is told to end", async () => {
    const upstream = new Listener();
    const { port } = upstream.address as { port: number };
    const { code, stderr, stdout } = await run(
      "tcp_relay.ts",
      [`127.0.0.1:${port}`],
      (at, kill) => {
        const client = Peer.connect(at);
        const server = upstream.accept();
        const bytes = noise(4 * 1024 * 1024);
        const { back, forth } = exchange(client, server, bytes, bytes.subarray(1));
        assert.equal(sha256(forth), sha256(bytes));
        assert.equal(sha256(back), sha256(bytes.subarray(1)));
        client.close();
        server.receivesEnd();
        server.close();
        kill("SIGINT");
      },
    );
    upstream.close();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /\n1 connections, 4194304 B up, 4194303 B down\n$/);
  });
});
