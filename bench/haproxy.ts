/** Runs HAProxy, the reference for relays. @module */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./nginx.ts";
import { type Server, startServerOn } from "./processes.ts";

/** How to install it. */
export const REMEDY: string = "HAProxy is not installed (Debian: apt-get install haproxy): " +
  "its row and bars are left out";

/** Starts one thread that relays to `upstream` by splice, through pipes of 1 MiB like sluice's. */
export async function startHaproxy(folder: string, upstream: number): Promise<Server> {
  const port = await freePort();
  const config = join(folder, `haproxy-${port}.cfg`);
  writeFileSync(config, configuration(port, upstream));
  const argv = ["timeout", "900", "haproxy", "-q", "-db", "-f", config];
  return await startServerOn(port, { argv });
}

function configuration(port: number, upstream: number): string {
  return `
global
  nbthread 1
  maxconn 4096
  tune.pipesize 1048576
defaults
  mode tcp
  timeout connect 10s
  timeout client 10m
  timeout server 10m
  option splice-request
  option splice-response
listen relay
  bind 127.0.0.1:${port}
  server upstream 127.0.0.1:${upstream}
`;
}
