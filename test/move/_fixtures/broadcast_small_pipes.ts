/** Broadcasts as a user who may have no more large pipes, and prints what every target got. @module */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { broadcast, Pipe } from "../../../src/mod.ts";
import { noise, sha256 } from "../../_kit/bytes.ts";
import { peers, pipeOf } from "../_broadcast.ts";

const WITHOUT = ["--reuid=65533", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];

if (process.argv.at(-1) === "run") {
  const bytes = noise(1_000_003);
  const source = pipeOf(bytes);
  const pipes = Array.from({ length: 80 }, () => new Pipe({ capacity: 1 << 20 }));
  const { all, close } = await peers(3);
  all.forEach((peer) => peer.read());
  const { targets } = await broadcast(source.readFd, all.map(({ target }) => target));
  const rows: unknown[] = [];
  for (const peer of all) {
    const got = await peer.read().take(bytes.length);
    const { method, error } = targets.find(({ target }) => target === peer.target)!;
    rows.push([method, error?.message ?? null, sha256(got) === sha256(bytes)]);
  }
  console.log(JSON.stringify(rows));
  for (const pipe of [source, ...pipes]) pipe.close();
  await close();
} else {
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const self = [process.execPath, ...deno, fileURLToPath(import.meta.url), "run"];
  const { stdout, stderr, status } = spawnSync("/usr/bin/setpriv", [...WITHOUT, ...self], {
    encoding: "utf8",
    env: { ...process.env, HOME: "/tmp" },
  });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = status ?? 1;
}
