/** `createRelay` in one thread: `relay_sluice.ts UPSTREAM_PORT`. @module */

import process from "node:process";
import { createRelay } from "../../src/mod.ts";
import { announce } from "./harness.ts";

const relay = createRelay({ listen: ":0", upstream: `127.0.0.1:${process.argv[2]}` });
const address = await relay.listen();
if (address.family !== "Unix") announce(address.port);
