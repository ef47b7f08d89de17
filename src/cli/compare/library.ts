/** Methods that use a library: the runtime's own streams, and sluice. @module */

import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { connect, type Socket } from "node:net";
import { finished, pipeline } from "node:stream/promises";
import { platform } from "../../../ffi/platform/mod.ts";
import { copyFile } from "../../move/copy_file/copy_file.ts";
import { sendFile } from "../../move/send_file/send_file.ts";
import * as raw from "../../sys/raw/mod.ts";
import { must } from "./calls.ts";
import type { LibraryJob, Method } from "./method.ts";

/** Returns the methods of one library. */
export function libraryMethods(name: "stream" | "sluice"): Method[] {
  if (name === "stream") {
    const label = "createReadStream().pipe()";
    return [{ name, label, targets: ["socket", "file", "pipe", "two"], library: stream }];
  }
  return [
    { name, label: "sluice sendFile()", targets: ["socket", "pipe"], library: sluice },
    { name: "copy", label: "sluice copyFile()", targets: ["file"], library: copy },
  ];
}

async function stream({ path, ports, output }: LibraryJob): Promise<void> {
  const source = createReadStream(path);
  if (ports.length === 0) {
    await pipeline(source, createWriteStream(output));
    return;
  }
  const sockets = await Promise.all(ports.map(open));
  for (const socket of sockets) source.pipe(socket);
  await Promise.all([finished(source), ...sockets.map(drained)]);
}

async function sluice({ path, ports: [port], output }: LibraryJob): Promise<void> {
  if (port === undefined) {
    const fd = must(raw.open(output, 1 | platform.open.CLOEXEC, 0), "open");
    await sendFile(fd, path);
    raw.close(fd);
    return;
  }
  const socket = await open(port);
  await sendFile(socket, path);
  socket.end();
  await drained(socket);
}

async function copy({ path, output }: LibraryJob): Promise<void> {
  await copyFile(path, output);
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Resolves when the receiver has read everything; it then closes. */
async function drained(socket: Socket): Promise<void> {
  const end = once(socket, "close");
  socket.resume();
  await end;
}
