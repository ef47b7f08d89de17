/** The command: parses options, listens, stops. @module */

import { realpathSync, statSync } from "node:fs";
import { type AddressInfo, isIPv6, type Server } from "node:net";
import process from "node:process";
import { parseArgs } from "node:util";
import { capabilities } from "../../src/capabilities.ts";
import type { Service } from "./exchange.ts";
import { httpServer } from "./http_front.ts";
import { tcpServer } from "./tcp_front.ts";

const HELP = `Serves a folder over HTTP. Files leave by sendfile(2) and never enter JavaScript.

Usage: file_server.ts [DIR] [--port N] [--host H]

  DIR        folder to serve (default: the current one)
  --port N   port to listen on (default: 3000, or the next free one; 0 for any)
  --host H   address to listen on (default: 127.0.0.1; 0.0.0.0 for all interfaces)
  --help     print this help`;

const DEFAULT_PORT = 3000;

/** A wrong command line; reported without a stack. */
class UsageError extends Error {}

/** Runs the command; resolves when the server listens. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await start(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

async function start(args: readonly string[]): Promise<void> {
  const { folder, host, port, help } = parse(args);
  if (help) return console.log(HELP);
  const service: Service = {
    root: folder,
    note: howBytesTravel(),
    active: 0,
    stopping: false,
    log: (line) => console.log(line),
  };
  const server = "Bun" in globalThis ? tcpServer(service) : httpServer(service);
  const address = await listen(server, host, port);
  const name = isIPv6(address.address) ? `[${address.address}]` : address.address;
  for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15]] as const) {
    process.on(signal, () => stop(service, server, 128 + number));
  }
  // Printed last, because a reader of this line may send a signal at once.
  console.log(`Serving ${folder} at http://${name}:${address.port}/`);
  console.log(service.note);
}

interface Options {
  readonly folder: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly help: boolean;
}

function parse(args: readonly string[]): Options {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: "string", short: "p" },
        host: { type: "string", default: "127.0.0.1" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const { host, help, port } = values;
    if (positionals.length > 1) throw new Error(`Cannot serve ${positionals.length} folders`);
    if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) < 65536)) {
      throw new Error(`Cannot listen on port "${port}": it must be in 0..65535`);
    }
    const folder = realpathSync(positionals[0] ?? ".");
    if (!statSync(folder).isDirectory()) {
      throw new Error(`Cannot serve ${folder}: it is not a folder`);
    }
    return { folder, host, help, port: port === undefined ? undefined : Number(port) };
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${HELP}`);
  }
}

/** Returns one line that says how this runtime moves the bytes. */
export function howBytesTravel(): string {
  const { runtime, backend, supported, reason } = capabilities();
  const name = `${runtime.name} ${runtime.version}`;
  return supported
    ? `Files leave by sendfile(2), called by ${name} through ${backend}`
    : `Files are copied by ${name}: ${reason}`;
}

/** Listens on the requested port, or on the first free one from the default on. */
async function listen(
  server: Server,
  host: string,
  port: number | undefined,
): Promise<AddressInfo> {
  for (let candidate = port ?? DEFAULT_PORT;; candidate++) {
    try {
      return await listenOn(server, host, candidate);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE") throw new UsageError(`Cannot listen on ${host}: ${message}`);
      if (port !== undefined) {
        throw new UsageError(`Cannot listen on port ${port}: it is in use. Try another --port`);
      }
      console.error(`Port ${candidate} is in use`);
    }
  }
}

function listenOn(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

/** Waits for running answers, then ends the process. A second signal ends it at once. */
function stop(service: Service, server: Server, code: number): void {
  if (service.stopping) process.exit(code);
  service.stopping = true;
  server.close();
  console.error(`Stopping after ${service.active} requests; press Ctrl-C again to stop now`);
  setInterval(() => {
    if (service.active === 0) process.exit(0);
  }, 20);
}
