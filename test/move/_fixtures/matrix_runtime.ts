/**
 * Transfers from every kind of descriptor to every socket and response of the runtime, from its
 * sockets to every kind of descriptor, and between them. Prints how each ended. Started as a process
 * of its own, so that one that never ends does so with it.
 *
 * @module
 */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { transfer, type TransferSource, type TransferTarget } from "../../../src/mod.ts";
import { Scope } from "../../_kit/fds.ts";
import { TARGETS as RUNTIME_TARGETS } from "../../_kit/targets.ts";
import { destroyed, HOST, socketPath, stop } from "../../_kit/targets_net.ts";
import { CONTENT, SOURCES, TARGETS } from "./matrix_ends.ts";
import { base64Of, type Outcome, settledOf } from "./matrix.ts";
import { LENGTH } from "./matrix_expected.ts";

/** One end of a transfer. */
interface End {
  readonly end: TransferSource & TransferTarget;
  /** The received bytes, of which `count` are expected. */
  readonly arrived?: (count: number) => Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

type Open = () => Promise<End>;

const folder = mkdtempSync(join(tmpdir(), "sluice-matrix-"));

function descriptor(make: (typeof SOURCES)[string]): Open {
  return () => {
    const scope = new Scope();
    const { fd, arrived } = make({ folder, scope });
    return Promise.resolve({
      end: fd,
      ...(arrived && { arrived: () => Promise.resolve(arrived()) }),
      close: () => Promise.resolve(scope.close()),
    });
  };
}

/** A socket whose peer has sent everything and closed its side. */
function socket(kind: "accepted" | "connected" | "Unix"): Open {
  return async () => {
    const server = createServer({ allowHalfOpen: true });
    const { path, remove } = socketPath();
    if (kind === "Unix") server.listen(path);
    else server.listen(0, HOST);
    await once(server, "listening");
    const address = server.address();
    const where = typeof address === "string"
      ? { path: address }
      : { host: HOST, port: address!.port };
    const accepting = once(server, "connection") as Promise<[Socket]>;
    const dialled = connect({ ...where, allowHalfOpen: true });
    const [[accepted]] = await Promise.all([accepting, once(dialled, "connect")]);
    const [end, peer] = kind === "connected" ? [dialled, accepted] : [accepted, dialled];
    for (const each of [end, peer]) each.on("error", () => {});
    peer.end(CONTENT);
    return {
      end: end as unknown as End["end"],
      async close() {
        await Promise.all([destroyed(end), destroyed(peer)]);
        await stop(server);
        remove();
      },
    };
  };
}

interface Conn {
  readonly readable: unknown;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

interface DenoNet {
  listen(options: { hostname: string; port: number }): {
    readonly addr: { readonly port: number };
    accept(): Promise<Conn>;
    close(): void;
  };
  connect(options: { hostname: string; port: number }): Promise<Conn>;
}

const { Deno } = globalThis as unknown as { Deno?: DenoNet };

/** As above, a connection of Deno's own. */
function conn(side: "accepted" | "connected"): Open {
  return async () => {
    const listener = Deno!.listen({ hostname: HOST, port: 0 });
    const { port } = listener.addr;
    const both = await Promise.all([listener.accept(), Deno!.connect({ hostname: HOST, port })]);
    const [end, peer] = side === "accepted" ? both : both.reverse() as typeof both;
    await peer.write(CONTENT);
    await peer.closeWrite();
    return {
      end: end as unknown as End["end"],
      close() {
        for (const each of [...both, listener]) {
          try {
            each.close();
          } catch {
            // The transfer has.
          }
        }
        return Promise.resolve();
      },
    };
  };
}

const sources: Record<string, Open> = {
  "accepted net.Socket": socket("accepted"),
  "connected net.Socket": socket("connected"),
  "net.Socket on a Unix path": socket("Unix"),
  ...(Deno && {
    "accepted conn of Deno": conn("accepted"),
    "connected conn of Deno": conn("connected"),
  }),
};

const targets: Record<string, Open> = {};
for (const { name, kind, skip, open } of RUNTIME_TARGETS) {
  if (skip || kind === "descriptor") continue;
  targets[name] = async () => {
    const pair = await open();
    return {
      end: pair.target as End["end"],
      arrived: (count) => pair.reader.take(count),
      close: () => pair.close(),
    };
  };
}

async function attempt(source: string, target: string, from: Open, to: Open): Promise<Outcome> {
  const [a, b] = [await from(), await to()];
  try {
    // A terminal without input never ends by itself.
    const signal = AbortSignal.timeout(source === "terminal" ? 50 : 10_000);
    const settled = await settledOf(transfer(a.end, b.end, { length: LENGTH, signal }));
    const arrived = settled.error === null ? await b.arrived?.(settled.bytes) : undefined;
    return { source, target, ...settled, arrived: base64Of(arrived) };
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

const plainSources = Object.entries(SOURCES).map(([name, make]) =>
  [name, descriptor(make)] as const
);
const plainTargets = Object.entries(TARGETS).map(([name, make]) =>
  [name, descriptor(make)] as const
);
const outcomes: Outcome[] = [];
try {
  const pairs = [
    ...plainSources.flatMap((s) => Object.entries(targets).map((t) => [s, t] as const)),
    ...Object.entries(sources).flatMap((s) => plainTargets.map((t) => [s, t] as const)),
    ...Object.entries(sources).flatMap((s) => Object.entries(targets).map((t) => [s, t] as const)),
  ];
  for (const [[source, from], [target, to]] of pairs) {
    // Synchronous, so that a hang is seen where it happened.
    writeSync(2, `${source} to ${target}\n`);
    outcomes.push(await attempt(source, target, from, to));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// It is more than a pipe holds: an exit at once would cut it off.
process.stdout.write(`${JSON.stringify(outcomes)}\n`, () => process.exit(0));
