/**
 * A pull-through cache for files, as it stands between a CDN's clients and an origin. Run it with
 * node, bun or `deno run -A`:
 *
 *     node examples/edge_cache/main.ts --origin http://HOST:PORT --dir D
 *         [--port P] [--host H] [--max-bytes N]
 *
 * A response of the origin is spliced from its socket into a file, and goes to the first client
 * while it arrives. Later clients get it from the file by sendfile(2). No byte of a body enters
 * JavaScript. However many clients want the same file, the origin gets one request.
 *
 * It follows Cache-Control (with stale-while-revalidate and stale-if-error), revalidates by ETag
 * and Last-Modified, answers ranges of what has arrived, evicts what was not used for the longest
 * time, and survives `kill -9`. Responses for one user pass through. `X-Cache` says what happened.
 * `curl -X PURGE` on this machine deletes a response; `/-/ready` and `/-/stats` are its own pages.
 *
 * One thread serves all. For more than one machine, `haproxy.cfg` spreads the keys over several
 * caches. After a power failure, delete D: bodies are not synced to the disk. Linux, with foreign
 * calls; speaks HTTP/1.0 to the origin.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import process from "node:process";
import { parseArgs } from "node:util";
import * as sys from "../../src/sys/mod.ts";
import { Cache } from "./cache.ts";
import { Client } from "./client.ts";
import { endLateExchanges, type Origin } from "./exchange.ts";
import { Loop } from "./loop.ts";
import { Store } from "./store.ts";

const { raw } = sys;
const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const { SOCKET, TCP } = sys.SocketLevel;
const EAGAIN = -11;
const ENFILE = -23;
const EMFILE = -24;

/** Time for running answers after a signal, in milliseconds. */
const GRACE_MS = 10_000;
const USAGE = `Usage: main --origin http://HOST:PORT --dir D [--port P] [--host H] [--max-bytes N]

  --origin URL     the server whose responses are stored
  --dir D          folder for them; may be deleted while the cache does not run
  --port P         port of the cache (default: a free one)
  --host H         its numeric address (default: 127.0.0.1)
  --max-bytes N    most bytes to store (default: 10000000000)`;

/** The parsed command line. */
interface Settings {
  readonly origin: URL;
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly maxBytes: number;
}

const settings = parse();
try {
  await serve(settings);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}

function parse(): Settings {
  try {
    const { values } = parseArgs({
      options: {
        origin: { type: "string" },
        dir: { type: "string" },
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "0" },
        "max-bytes": { type: "string", default: "10000000000" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (!values.origin || !values.dir) {
      throw new Error("--origin and --dir are needed");
    }
    const origin = new URL(values.origin);
    const { protocol, pathname, search, username } = origin;
    if (protocol !== "http:" || pathname !== "/" || search !== "" || username !== "") {
      throw new Error(`Not an origin: "${values.origin}"`);
    }
    if (isIP(values.host) === 0) throw new Error(`Not an address: "${values.host}"`);
    const port = Number(values.port);
    const maxBytes = Number(values["max-bytes"]);
    if (!/^\d+$/.test(values.port) || port > 65_535) {
      throw new Error(`Not a port: "${values.port}"`);
    }
    if (!(Number.isSafeInteger(maxBytes) && maxBytes > 0)) {
      throw new Error(`Not a number of bytes: "${values["max-bytes"]}"`);
    }
    return { origin, dir: values.dir, host: values.host, port, maxBytes };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function serve({ origin, dir, host, port, maxBytes }: Settings): Promise<void> {
  const loop = new Loop();
  const store = new Store(dir, maxBytes);
  const cache = new Cache(loop, await resolve(origin), store);
  const clients = new Set<Client>();
  const listener = listen(host, port);
  /** Whether no descriptor was left for the next client. */
  let full = false;
  const gone = () => {
    if (full) loop.set(listener, sys.EpollEvent.IN);
    full = false;
  };
  loop.add(listener, sys.EpollEvent.IN, () => {
    for (;;) {
      const fd = raw.accept4(listener, NONBLOCK | CLOEXEC);
      if (fd === EMFILE || fd === ENFILE) {
        // Clients wait in the queue of the listener until another one leaves.
        full = true;
        loop.set(listener, 0);
      }
      if (fd === EAGAIN || fd === EMFILE || fd === ENFILE) return;
      if (fd < 0) continue; // the client has given up already
      raw.setsockopt(fd, TCP, sys.TcpOption.NODELAY, 1);
      const client: Client = new Client(fd, cache, () => {
        clients.delete(client);
        gone();
      });
      clients.add(client);
    }
  });
  /** Exit code of the signal that has arrived, and the time by which to end. */
  let stopping: { readonly code: number; readonly endMs: number } | undefined;
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15]] as const) {
    process.on(signal, () => {
      if (stopping !== undefined) process.exit(128 + number);
      stopping = { code: 128 + number, endMs: Date.now() + GRACE_MS };
      loop.close(listener);
    });
  }
  const { port: listening } = sys.getsockname(listener) as sys.IpAddress;
  // Printed last, because a reader of this line may send a signal at once.
  const name = host.includes(":") ? `[${host}]` : host;
  const stored = `${store.size} responses are stored`;
  console.log(`Listening at http://${name}:${listening}/ before ${origin.origin}, ${stored}`);
  const over = () => stopping !== undefined && (clients.size === 0 || loop.now > stopping.endMs);
  await loop.run(over, () => {
    endLateExchanges();
    for (const client of clients) {
      if (stopping !== undefined && client.idle) client.close();
      else client.closeIfLate();
    }
  });
  store.close();
  process.exit(stopping!.code);
}

async function resolve(origin: URL): Promise<Origin> {
  const name = origin.hostname.replace(/^\[|\]$/g, "");
  const { address, family } = await lookup(name).catch((error) => {
    throw new Error(`Cannot find the origin ${name}: ${error.code}`);
  });
  const port = Number(origin.port || 80);
  const version = family === 6 ? "IPv6" : "IPv4";
  return { address: { family: version, address, port }, host: origin.host };
}

function listen(host: string, port: number): number {
  const version = isIP(host) === 6 ? "IPv6" : "IPv4";
  const family = version === "IPv6" ? sys.AddressFamily.INET6 : sys.AddressFamily.INET;
  const fd = sys.socket(family, STREAM | NONBLOCK | CLOEXEC);
  sys.setsockopt(fd, SOCKET, sys.SocketOption.REUSEADDR, 1);
  // BBR paces segments by timers, which only costs time where no line is shared.
  if (/^(127\.|::1$)/.test(host)) {
    raw.setsockoptBytes(fd, TCP, sys.TcpOption.CONGESTION, Buffer.from("reno"));
  }
  sys.bind(fd, { family: version, address: host, port });
  sys.listen(fd, 4096);
  return fd;
}
