/** Starts the client that measures small requests. @module */

import type { ProbeJob, ProbeResult } from "./client/probe.ts";
import { type Client, delay, type Server, startClient } from "./processes.ts";
import type { ServedFile } from "./workspace.ts";

/** Requests a small file every `intervalMs`, until the client is told to finish. */
export function startProbe(
  { port }: Server,
  { name, path }: ServedFile,
  intervalMs: number,
): Client<ProbeResult> {
  const job: ProbeJob = { port, path: `/${name}`, file: path, intervalMs };
  return startClient<ProbeResult>("probe", job);
}

/** Does the same for `ms` milliseconds. */
export async function probe(
  server: Server,
  file: ServedFile,
  intervalMs: number,
  ms: number,
): Promise<ProbeResult> {
  const client = startProbe(server, file, intervalMs);
  await client.ready;
  await Promise.race([delay(ms), client.result]);
  return await client.finish();
}
