/**
 * The thread that writes uploads: splices one request per connection into a file.
 *
 * Blocks in epoll_wait(2) for a quarter of a second at most, so that it notices when it should
 * stop.
 *
 * @module
 */

import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import * as sys from "../../src/sys/mod.ts";

const { raw } = sys;
const { IN } = sys.EpollEvent;
const { STREAM, NONBLOCK, CLOEXEC } = sys.SocketType;
const PIPE_BYTES = 1024 * 1024;
const MOST_HEAD = 64 * 1024;
const EAGAIN = -11;

const { folder, path, stop } = workerData as { folder: string; path: string; stop: Int32Array };

/** A connection and its destination. */
interface Upload {
  readonly fd: number;
  /** The part file, after the head has been read. */
  file: number;
  part: string;
  name: string;
  /** Bytes still to come. */
  left: number;
}

/** Rejects a request with a status. */
class Refusal extends Error {}

const uploads = new Map<number, Upload>();
// All uploads share one pipe. It is empty between two turns.
const [pipeRead, pipeWrite] = sys.pipe2(sys.OpenFlag.CLOEXEC);
sys.setPipeSize(pipeWrite, PIPE_BYTES);
const head = new Uint8Array(MOST_HEAD);
let lastPart = 0;

const listener = sys.socket(sys.AddressFamily.UNIX, STREAM | NONBLOCK | CLOEXEC);
sys.bind(listener, { family: "Unix", path });
sys.listen(listener, 511);
const epoll = sys.epollCreate1(sys.EpollFlag.CLOEXEC);
sys.epollCtl(epoll, sys.EpollOp.ADD, listener, IN);
const events = new raw.EventList(64);
parentPort!.postMessage("ready");

while (Atomics.load(stop, 0) === 0) {
  const count = events.wait(epoll, 250);
  for (let i = 0; i < count; i++) {
    const fd = events.fd(i);
    if (fd === listener) accept();
    else receive(uploads.get(fd)!);
  }
}
for (const upload of uploads.values()) end(upload, undefined);
for (const fd of [listener, epoll, pipeRead, pipeWrite]) sys.close(fd);

function accept(): void {
  for (let fd; (fd = raw.accept4(listener, NONBLOCK | CLOEXEC)) >= 0;) {
    uploads.set(fd, { fd, file: -1, part: "", name: "", left: 0 });
    sys.epollCtl(epoll, sys.EpollOp.ADD, fd, IN);
  }
}

function receive(upload: Upload): void {
  try {
    if (upload.file < 0 && !begin(upload)) return;
    if (move(upload)) end(upload, "201 Created");
  } catch (error) {
    end(upload, error instanceof Refusal ? error.message : "500 Internal Server Error");
  }
}

/** Reads the head, and nothing after it. Returns false while the head is incomplete. */
function begin(upload: Upload): boolean {
  // Peeks first: the bytes after the head must stay in the socket for splice(2).
  const seen = raw.recv(upload.fd, head, sys.MessageFlag.PEEK);
  if (seen === EAGAIN) return false;
  if (seen <= 0) throw new Refusal("400 Bad Request");
  const text = new TextDecoder("latin1").decode(head.subarray(0, seen));
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) {
    if (seen === MOST_HEAD) throw new Refusal("431 Request Header Fields Too Large");
    return false;
  }
  const [, method, target = ""] = /^(\S+) \/(\S*) /.exec(text) ?? [];
  const length = /\r\ncontent-length: (\d{1,15})\r\n/i.exec(text.slice(0, end + 2))?.[1];
  if (method !== "PUT") throw new Refusal("405 Method Not Allowed");
  if (length === undefined) throw new Refusal("411 Length Required");
  // Accepts one visible name in this folder, and no other path.
  let name: string;
  try {
    name = decodeURIComponent(target);
  } catch {
    throw new Refusal("400 Bad Request");
  }
  // deno-lint-ignore no-control-regex -- they would be mistakes, or attacks on a terminal
  if (!/^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,199}$/.test(name)) {
    throw new Refusal("400 Bad Request");
  }
  raw.recv(upload.fd, head.subarray(0, end + 4), 0);
  upload.name = name;
  upload.left = Number(length);
  // A dot file, so that the server hides it until it is complete.
  upload.part = join(folder, `.upload-${++lastPart}`);
  upload.file = openSync(upload.part, "wx");
  return true;
}

/** Moves received bytes into the file. Returns true when the file is complete. */
function move(upload: Upload): boolean {
  while (upload.left > 0) {
    const wanted = Math.min(upload.left, PIPE_BYTES);
    const count = raw.splice(upload.fd, null, pipeWrite, null, wanted, sys.SpliceFlag.NONBLOCK);
    if (count === EAGAIN) return false;
    if (count <= 0) throw new Refusal("400 Bad Request");
    for (let held = count; held > 0;) {
      held -= sys.splice(pipeRead, null, upload.file, null, held, 0);
    }
    upload.left -= count;
  }
  return true;
}

/** Sends an answer if there is one, closes, and removes incomplete files. */
function end(upload: Upload, status: string | undefined): void {
  uploads.delete(upload.fd);
  if (upload.file >= 0) {
    closeSync(upload.file);
    if (status === "201 Created") renameSync(upload.part, join(folder, upload.name));
    else rmSync(upload.part, { force: true });
  }
  if (status !== undefined) {
    const answer = `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
    raw.send(upload.fd, new TextEncoder().encode(answer), sys.MessageFlag.NOSIGNAL);
  }
  sys.close(upload.fd);
}
