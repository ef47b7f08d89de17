/**
 * A small HTTPS server on the loop: enough of HTTP for what `src/tls` must carry. Its argument is JSON:
 * `{ root, tls, port?, kernelTls? }`. Prints its port. `/reload` reads the certificates again, `/rotate` replaces
 * the ticket key, `/stats` shows counters.
 */
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Cell } from "../../../ffi/libc/cell.ts";
import { errnoNumber } from "../../../src/errors.ts";
import * as sys from "../../../src/sys/mod.ts";
import { TlsAcceptor } from "../../../src/tls/acceptor.ts";
import { freeTable, TlsContexts } from "../../../src/tls/contexts.ts";
import { Failure, FAILURES } from "../../../src/tls/failure.ts";
import { configureTls } from "../../../src/tls/options.ts";
import { Handshake } from "../../../src/tls/hello_reader.ts";
import { TlsSession } from "../../../src/tls/session.ts";
import { Acceptor } from "../../../src/threads/loop/acceptor.ts";
import { type Handler, Loop, type Task } from "../../../src/threads/loop/loop.ts";

const { kernelTls = true, port = 0, root, tls } = JSON.parse(process.argv[2]!);
const EAGAIN = -errnoNumber("EAGAIN");
const { IN, OUT } = sys.EpollEvent;

const contexts = new TlsContexts(configureTls(tls), kernelTls);
const acceptor = new TlsAcceptor(contexts.table);
const failures = new Array<number>(FAILURES).fill(0);
const stats = { accepted: 0, kernel: 0, reused: 0, requests: 0 };
const input = new Cell(32 * 1024);

class Connection implements Handler, Task {
  readonly session: TlsSession;
  readonly fd: number;
  ready = false;
  text = "";
  head: Cell | null = null;
  at = 0;
  file = -1;
  position = 0;
  end = 0;
  keep = true;
  ending = false;

  constructor(fd: number) {
    this.fd = fd;
    this.session = new TlsSession(acceptor, fd);
  }

  onEvents(): void {
    this.drive();
  }

  onTurn(): void {
    if (this.fd >= 0) this.drive();
  }

  wait(events: number): void {
    loop.modify(this.fd, events);
  }

  drive(): void {
    const { session } = this;
    if (!this.ready) {
      const state = session.handshake();
      if (state === Handshake.WANT_READ) return this.wait(IN);
      if (state === Handshake.WANT_WRITE) return this.wait(OUT);
      if (state === Handshake.FAILED) {
        failures[session.failure]!++;
        if (session.failure === Failure.PLAIN_HTTP) {
          sys.raw.send(this.fd, new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"), 0);
        }
        return this.close();
      }
      this.ready = true;
      if (session.kernel) stats.kernel++;
    }
    for (let turns = 8; turns > 0; turns--) {
      if (this.ending) {
        if (session.shutdown() === EAGAIN) return this.wait(OUT);
        return this.close();
      }
      if (this.head !== null || this.position < this.end) {
        const result = this.send();
        if (result === EAGAIN) return this.wait(OUT);
        if (result < 0) return this.close();
        if (result === 1) continue;
        if (!this.keep || session.keyUpdateDue) this.ending = true;
        continue;
      }
      const end = this.text.indexOf("\r\n\r\n");
      if (end < 0) {
        const count = session.recv(input, 0, input.bytes.length);
        if (count === EAGAIN) return this.wait(session.readWantsWrite ? OUT : IN);
        if (count <= 0) {
          this.ending = count === 0;
          if (this.ending) continue;
          return this.close();
        }
        this.text += new TextDecoder("latin1").decode(input.bytes.subarray(0, count));
        continue;
      }
      const head = this.text.slice(0, end + 4);
      this.text = this.text.slice(end + 4);
      this.answer(head);
    }
    this.wait(0);
    loop.again(this);
  }

  answer(text: string): void {
    stats.requests++;
    const [method, target = "/"] = text.split(" ", 2);
    this.keep = !/\r\nconnection: *close/i.test(text);
    if (target === "/reload") freeIt(() => contexts.reload());
    if (target === "/rotate") freeIt(() => contexts.rotate());
    if (/^\/(reload|rotate|stats)$/.test(target)) {
      const { certificates } = contexts;
      return this.reply("200 OK", JSON.stringify({ ...stats, failures, certificates }));
    }
    try {
      this.file = openSync(join(root, target), "r");
    } catch {
      return this.reply("404 Not Found", "");
    }
    const { size } = fstatSync(this.file);
    const range = /\r\nrange: *bytes=(\d+)-(\d*)/i.exec(text);
    this.position = range ? Number(range[1]) : 0;
    this.end = range?.[2] ? Number(range[2]) + 1 : size;
    const extra = range ? `Content-Range: bytes ${this.position}-${this.end - 1}/${size}\r\n` : "";
    this.begin(range ? "206 Partial Content" : "200 OK", this.end - this.position, extra);
    if (method === "HEAD") this.end = this.position;
  }

  reply(status: string, body: string): void {
    this.begin(status, body.length, "", body);
    this.position = this.end = 0;
  }

  begin(status: string, length: number, extra = "", body = ""): void {
    const text = `HTTP/1.1 ${status}\r\nContent-Length: ${length}\r\n${extra}\r\n${body}`;
    this.head = new Cell(text.length);
    this.head.bytes.set(new TextEncoder().encode(text));
    this.at = 0;
  }

  /** 0 when everything is sent, 1 when it should be called again, or `-errno`. */
  send(): number {
    if (this.head !== null) {
      const { length } = this.head.bytes;
      const more = this.position < this.end;
      const sent = this.session.send(this.head, this.at, length - this.at, more);
      if (sent < 0) return sent;
      if ((this.at += sent) < length) return 1;
      this.head = null;
    }
    if (this.position < this.end) {
      const count = Math.min(512 * 1024, this.end - this.position);
      const sent = this.session.sendFile(this.file, this.position, count);
      if (sent <= 0) return sent === 0 ? -5 : sent;
      this.position += sent;
      if (this.position < this.end) return 1;
    }
    if (this.file >= 0) closeSync(this.file);
    this.file = -1;
    return 0;
  }

  close(): void {
    this.session.free();
    if (this.file >= 0) closeSync(this.file);
    this.file = -1;
    loop.close(this.fd);
    Object.assign(this, { fd: -1 });
  }
}

function freeIt(change: () => Parameters<typeof freeTable>[0]): void {
  try {
    const old = change();
    acceptor.update(contexts.table);
    freeTable(old);
  } catch (error) {
    writeSync(2, `${(error as Error).message}\n`);
  }
}

const wakeFd = sys.eventfd(0, sys.EventfdFlag.NONBLOCK);
const parent = process.ppid;
const loop = new Loop({
  data: undefined,
  fds: [],
  wakeFd,
  parkMs: 250,
  // A test that was killed leaves nothing behind.
  stopping: () => process.ppid !== parent,
  commands: () => [],
  complete() {},
  flush() {},
});
const { CLOEXEC, NONBLOCK, STREAM } = sys.SocketType;
const listener = sys.socket(sys.AddressFamily.INET, STREAM | CLOEXEC | NONBLOCK);
sys.bind(listener, { family: "IPv4", address: "127.0.0.1", port });
sys.listen(listener, 511);
new Acceptor(loop, listener, {
  accepted(fd) {
    stats.accepted++;
    loop.add(fd, IN, new Connection(fd));
  },
});
const address = sys.getsockname(listener) as { port: number };
writeSync(1, `${address.port}\n`);
loop.run();
