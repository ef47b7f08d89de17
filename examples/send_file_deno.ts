/**
 * One file for everybody who connects, at 1 MB/s, with ten lines a second:
 * `deno run -A examples/send_file_deno.ts FILE`, then `nc 127.0.0.1 PORT > copy`.
 *
 * @module
 */

import process from "node:process";
import { type DenoConn, type Progress, sendFile } from "../src/mod.ts";

declare const Deno: {
  listen(options: { hostname: string; port: number }): AsyncIterable<DenoConn> & {
    addr: { port: number };
  };
};

const path = process.argv[2] ?? "README.md";
const onProgress = ({ bytes, total }: Progress) => console.log(`${bytes} of ${total} bytes`);

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
for await (const conn of listener) {
  sendFile(conn, path, { maxRate: 1e6, onProgress })
    .then(() => conn.close())
    .catch(console.error);
}
