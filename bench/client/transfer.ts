/** Runs transfers and prints their times: see {@linkcode TransferCost}. @module */

import { unlinkSync } from "node:fs";
import process from "node:process";
import { transfer } from "../../src/mod.ts";
import * as sys from "../../src/sys/mod.ts";

/** One transfer. */
export interface TransferCost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

const [what = "", source = "", target = "", repeats = ""] = process.argv.slice(2);

/** File to pipe to file, like one transfer by the method "splice". */
async function through(from: number): Promise<void> {
  const { CREAT, EXCL, WRONLY, CLOEXEC } = sys.OpenFlag;
  const out = sys.open(target, WRONLY | CREAT | EXCL | CLOEXEC, 0o600);
  await transfer(from, out, { method: "splice" });
  sys.close(out);
}

async function send(from: number): Promise<void> {
  const { STREAM, CLOEXEC } = sys.SocketType;
  const socket = sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC);
  sys.connect(socket, { family: "IPv4", address: "127.0.0.1", port: Number(target) });
  sys.setStatusFlags(socket, sys.OpenFlag.NONBLOCK);
  await transfer(from, socket);
  sys.close(socket);
}

const from = sys.open(source, sys.OpenFlag.CLOEXEC);
const costs: TransferCost[] = [];
// One more than counts: the first one starts the threads.
for (let i = 0; i <= Number(repeats); i++) {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await (what === "send" ? send(from) : through(from));
  const wallMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  if (i > 0) costs.push({ wallMs, cpuMs: (user + system) / 1000 });
  if (what === "through" && i < Number(repeats)) unlinkSync(target);
}
console.log(JSON.stringify(costs));
process.exit(0);
