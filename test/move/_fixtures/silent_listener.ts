/** Listens on an address and a port, and is then stopped, so that it accepts nothing. @module */

import { createServer } from "node:net";
import process from "node:process";

const [host, port] = process.argv.slice(-2) as [string, string];
createServer().listen({ host, port: Number(port), backlog: 1 }, () => console.log("listening"));
