/** `createRelay`: `relay_sluice.ts UPSTREAM_PORT [THREADS]`. @module */

import process from "node:process";
import { createRelay } from "../../src/mod.ts";
import { announce } from "./harness.ts";

const [, , port, threads = "1"] = process.argv;
const relay = createRelay({
  listen: ":0",
  upstream: `127.0.0.1:${port}`,
  threads: Number(threads),
});
const address = await relay.listen();
if (address.family !== "Unix") announce(address.port);
