/**
 * A chat room for a thousand members, by tee(2) and splice(2): what one member sends goes to all
 * others, and no byte of it enters JavaScript. Run it with node, bun or `deno run -A`:
 *
 *     node examples/chat_tee/main.ts [--port P]     opens the room; join with `nc 127.0.0.1 P`
 *     node examples/chat_tee/main.ts --copy         the same room with a buffer in its place
 *     node examples/chat_tee/compare.ts             what both cost, by the size of a message
 *
 * tee loses with small messages: two calls a member cost more than copying a few KiB in one.
 *
 * A member that does not keep up has to leave when its pipe is full, and the others never wait for
 * it. A message is what has arrived at once, up to 256 KiB; two members' lines stay apart if each
 * is sent by one call. Ctrl-C closes the room and sums up. Linux, with foreign calls.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { BufferFanOut, TeeFanOut } from "./fan_out.ts";
import { Room } from "./room.ts";

const USAGE = `Usage: main [--port P] [--copy]

  --port P   port of the room (default: a free one)
  --copy     the same room with a buffer`;

/** Exit code of the signal that has arrived. */
let stopped = 0;

const { port, copy } = parse();
try {
  const room = new Room(port, copy ? new BufferFanOut() : new TeeFanOut());
  process.on("SIGINT", () => stopped = 130);
  process.on("SIGTERM", () => stopped = 143);
  // Printed last, because a reader of this line may send a signal at once.
  console.log(JSON.stringify(room.address));
  await room.run(() => stopped !== 0);
  const { messages, deliveries, slow, gone } = room.stats;
  console.log(`${messages} messages, ${deliveries} deliveries, ${slow} too slow, ${gone} gone`);
  process.exitCode = stopped;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

function parse(): { port: number; copy: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: "string", default: "0" },
        copy: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const port = Number(values.port);
    if (!/^\d+$/.test(values.port) || port > 65_535) {
      throw new Error(`Not a port: "${values.port}"`);
    }
    return { port, copy: values.copy };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}
