/**
 * Relays connections to a server: `tcp_relay.ts [LISTEN] UPSTREAM`, on node, bun and deno -A alike.
 *
 * Addresses are `host:port`, `[::1]:port`, `:port` or `unix:/path`. The bytes go from socket to
 * socket inside the kernel, in sluice's own threads. On Ctrl-C, open connections have ten seconds
 * to end.
 *
 * @module
 */

import process from "node:process";
import { createRelay } from "../src/mod.ts";

const [upstream, listen = ":0"] = process.argv.slice(2).reverse();
if (upstream === undefined) throw new TypeError("Usage: tcp_relay.ts [LISTEN] UPSTREAM");

const relay = createRelay({ listen, upstream, threads: 2, idleTimeoutMs: 60_000 });
const address = await relay.listen();

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await relay.close({ graceMs: 10_000 });
    const { accepted, bytesDown, bytesUp } = relay.stats();
    console.log(`${accepted} connections, ${bytesUp} B up, ${bytesDown} B down`);
    process.exit();
  });
}

// Printed last, because a reader of this line may send a signal at once.
console.log(JSON.stringify(address));
