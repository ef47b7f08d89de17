/** Opens 80 large pipes as a user without privileges, and prints their capacities. @module */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Pipe } from "../../../src/mod.ts";

const WITHOUT = ["--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];

if (process.argv.at(-1) === "open") {
  const pipes = Array.from({ length: 80 }, () => new Pipe({ capacity: 1 << 20 }));
  const capacities = pipes.map((pipe) => pipe.capacity);
  for (const pipe of pipes) pipe.close();
  console.log(JSON.stringify({ pipes: pipes.length, capacities }));
} else {
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const self = [process.execPath, ...deno, fileURLToPath(import.meta.url), "open"];
  const { stdout, stderr, status } = spawnSync("/usr/bin/setpriv", [...WITHOUT, ...self], {
    encoding: "utf8",
    env: { ...process.env, HOME: "/tmp" },
  });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = status ?? 1;
}
