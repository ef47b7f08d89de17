/** Methods that use a library: the runtime's own streams, and sluice. @module */

import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { connect, type Socket } from "node:net";
import { finished, pipeline } from "node:stream/promises";
import { platform } from "../../../ffi/platform/mod.ts";
import { broadcast } from "../../move/broadcast/broadcast.ts";
import { copyFile } from "../../move/copy_file/copy_file.ts";
import { sendFile } from "../../move/send_file/send_file.ts";
import { transfer } from "../../move/transfer/transfer.ts";
import * as raw from "../../sys/raw/mod.ts";
import { must } from "./calls.ts";
import type { LibraryJob, Method } from "./method.ts";
import type { TargetName } from "./types.ts";

const WRITE_ONLY = 1;

/** Returns the methods of one library. */
export function libraryMethods(name: "stream" | "sluice"): Method[] {
  if (name === "stream") {
    const label = "createReadStream().pipe()";
    return [{ name, label, targets: ["socket", "file", "pipe", "two"], library: stream }];
  }
  return [
    own("sluice", "sendFile()", ["socket", "pipe"], to((path, target) => sendFile(target, path))),
    own("transfer", "transfer()", ["socket", "file", "pipe"], to(transfer)),
    own("copy", "copyFile()", ["file"], ({ path, output }) => copyFile(path, output)),
    own("broadcast", "broadcast()", ["two"], toAll),
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

function own(
  name: string,
  call: string,
  targets: readonly TargetName[],
  run: (job: LibraryJob) => Promise<unknown>,
): Method {
  const library = async (job: LibraryJob): Promise<void> => void await run(job);
  return { name, label: `sluice ${call}`, targets, own: true, library };
}

/** Returns a method that calls `move` with the runtime's socket, or with a descriptor. */
function to(
  move: (path: string, target: Socket | number) => Promise<unknown>,
): (job: LibraryJob) => Promise<void> {
  return async ({ path, ports: [port], output, target }) => {
    if (port === undefined) {
      const create = target === "file" ? platform.open.CREAT | platform.open.EXCL : 0;
      const fd = must(raw.open(output, WRITE_ONLY | platform.open.CLOEXEC | create, 0o600), "open");
      await move(path, fd);
      raw.close(fd);
      return;
    }
    const socket = await open(port);
    await move(path, socket);
    socket.end();
    await drained(socket);
  };
}

async function toAll({ path, ports }: LibraryJob): Promise<void> {
  const sockets = await Promise.all(ports.map(open));
  const { targets } = await broadcast(path, sockets);
  // A target fails on its own.
  for (const { error } of targets) if (error !== undefined) throw error;
  for (const socket of sockets) socket.end();
  await Promise.all(sockets.map(drained));
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
