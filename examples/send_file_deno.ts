/**
 * Sends a file to each client at 1 MB/s, with ten progress lines a second:
 * `deno run -A examples/send_file_deno.ts FILE`, then `nc 127.0.0.1 PORT > copy`.
 *
 * @module
 */

import process from "node:process";
import { type DenoConn, type Progress, sendFile } from "../src/mod.ts";

type Conn = DenoConn & {
  readonly readable: ReadableStream<Uint8Array>;
  closeWrite(): Promise<void>;
};
declare const Deno: {
  listen(options: { hostname: string; port: number }): {
    readonly addr: { readonly port: number };
    accept(): Promise<Conn>;
  };
};

const path = process.argv[2] ?? "README.md";
const onProgress = ({ bytes, total }: Progress) => console.log(`${bytes} of ${total} bytes`);

async function serve(conn: Conn): Promise<void> {
  try {
    await sendFile(conn, path, { maxRate: 1e6, onProgress });
    await conn.closeWrite();
    // Closing with unread bytes would reset the connection and cut the file.
    await conn.readable.pipeTo(new WritableStream());
  } catch (error) {
    console.error((error as Error).message);
    conn.close();
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
// accept() rejects if the client has already disconnected, which would end a `for await` loop.
while (true) {
  await listener.accept().then((conn) => void serve(conn).catch(() => {}), console.error);
}
