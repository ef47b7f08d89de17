import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { capabilities } from "../../src/capabilities.ts";
import { commandLine } from "../_kit/child.ts";
import { RUNTIME } from "../_kit/targets.ts";
import { Certificates, NO_OPENSSL } from "./_certificates.ts";
import { startMini } from "./_server.ts";

const NO_FFI = capabilities().backend === null &&
  "without foreign calls, the runtime's own TLS reads the key";
const NEEDS_NODE = RUNTIME !== "node" && "only Node.js shows all objects of a thread";

const NO_PERMISSIONS = RUNTIME === "bun" && "Bun restricts nothing";

const made = new Certificates();
after(() => made.remove());
const PAIR = NO_OPENSSL === false ? made.make("own") : { cert: "", key: "" };

/** The lines of a key in PEM, without those that are alike in all keys. */
function base64Of(path: string): Buffer[] {
  const lines = readFileSync(path, "latin1").trim().split("\n").slice(1, -1);
  return [lines[0]!.slice(-16), lines[1]!.slice(0, 24)].map((text) => Buffer.from(text));
}

/** The private number of a key on P-256, behind 36 bytes of DER. */
function numberOf(path: string): Buffer {
  const lines = readFileSync(path, "latin1").trim().split("\n").slice(1, -1);
  return Buffer.from(lines.join(""), "base64").subarray(36, 68);
}

/** Each spelling that code would keep a secret in. */
function spellings(secret: Buffer): Buffer[] {
  const hex = secret.toString("hex");
  const texts = [hex, hex.toUpperCase(), secret.toString("base64").replace(/=+$/, "")];
  return [secret, Buffer.from(secret).reverse(), ...texts.map((text) => Buffer.from(text))];
}

/** The secrets of a connection of TLS 1.3, and the keys of its records. */
class Secrets {
  readonly #lines: string[] = [];
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("keylog", (line: Buffer) => this.#lines.push(line.toString("latin1").trim()));
  }

  get all(): Buffer[] {
    const hash = this.#socket.getCipher().name.endsWith("SHA384") ? "sha384" : "sha256";
    const bytes = hash === "sha384" ? 32 : 16;
    return this.#lines.flatMap((line) => {
      const secret = Buffer.from(line.split(" ")[2]!, "hex");
      const label = Buffer.from([0, bytes, 9, ...Buffer.from("tls13 key"), 0]);
      // HKDF-Expand alone: RFC 5869, 2.3, for a single block.
      const key = createHmac(hash, secret).update(label).update(Uint8Array.of(1)).digest();
      return [secret, key.subarray(0, bytes)];
    });
  }
}

async function dial(
  port: number,
  options: ConnectionOptions = {},
): Promise<{ socket: TLSSocket; secrets: Secrets }> {
  const trust = { servername: "localhost", rejectUnauthorized: false };
  const socket = connect({ port, host: "127.0.0.1", ...trust, ...options });
  const secrets = new Secrets(socket);
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return { socket, secrets };
}

/** A child process that is ended after the test. */
async function withServers(
  body: (ports: number[], dump: () => Promise<Buffer[]>) => Promise<void>,
): Promise<void> {
  const file = new URL("./_fixtures/secrets.ts", import.meta.url);
  const [command, ...args] = commandLine(file, [JSON.stringify(PAIR)]) as [
    string,
    ...string[],
  ];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const folder = join(made.folder, "dump");
  mkdirSync(folder);
  try {
    const next = async () => String((await lines.next()).value);
    await body(JSON.parse(await next()), async () => {
      child.stdin.write(`${folder}\n`);
      assert.equal(await next(), "written");
      return readdirSync(folder).map((name) => readFileSync(join(folder, name)));
    });
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Finds any of many patterns in one pass. */
class Finder {
  readonly #byStart = new Map<number, Buffer[]>();
  readonly #starts = new Uint8Array(65_536);

  constructor(patterns: readonly Buffer[]) {
    for (const pattern of patterns) {
      const start = pattern.readUInt16LE();
      this.#starts[start] = 1;
      const same = this.#byStart.get(start);
      if (same === undefined) this.#byStart.set(start, [pattern]);
      else same.push(pattern);
    }
  }

  /** The first pattern in `bytes`, in hexadecimal; `""` if there is none. */
  in(bytes: Buffer): string {
    for (let at = 1, start = bytes[0]!; at < bytes.length; at++) {
      start |= bytes[at]! << 8;
      if (this.#starts[start] === 1) {
        for (const pattern of this.#byStart.get(start)!) {
          const found = bytes.subarray(at - 1, at - 1 + pattern.length);
          if (pattern.equals(found)) return pattern.toString("hex");
        }
      }
      start >>= 8;
    }
    return "";
  }
}

const PAGE = 4096;
const PRESENT = 1n << 63n;
/** Most bytes to read at once, and those that two pieces share: more than a pattern has. */
const PIECE = 4 * 1024 * 1024;
const OVERLAP = 64;

/** Calls `each` with every writable part of a process's memory that is resident. */
function readMemory(pid: number, each: (bytes: Buffer) => void): void {
  const buffer = Buffer.alloc(PIECE);
  const [memory, pages] = ["mem", "pagemap"].map((name) => openSync(`/proc/${pid}/${name}`, "r"));
  const read = (from: number, to: number) => {
    for (let at = from; at < to; at += PIECE - OVERLAP) {
      each(buffer.subarray(0, readSync(memory!, buffer, 0, Math.min(PIECE, to - at), at)));
    }
  };
  for (const line of readFileSync(`/proc/${pid}/smaps`, "latin1").split(/\n(?=[\da-f]+-)/)) {
    const [, from, to] = /^([\da-f]+)-([\da-f]+) rw/.exec(line) ?? [];
    if (from === undefined || /^Rss: +0 kB/m.test(line)) continue;
    const [start, end] = [parseInt(from, 16), parseInt(to!, 16)];
    const flags = new BigUint64Array((end - start) / PAGE);
    readSync(pages!, flags, 0, flags.byteLength, start / PAGE * 8);
    let first = -1;
    for (let page = 0; page <= flags.length; page++) {
      const present = page < flags.length && (flags[page]! & PRESENT) !== 0n;
      if (present && first < 0) first = page;
      if (present || first < 0) continue;
      read(start + first * PAGE, start + page * PAGE);
      first = -1;
    }
  }
  closeSync(memory!);
  closeSync(pages!);
}

/** Starts a server, and searches its memory for the text of its private key. */
async function assertForgotten(flags?: readonly string[]): Promise<void> {
  const server = await startMini(made.folder, PAIR, {}, flags);
  try {
    const secret = new Finder(base64Of(PAIR.key));
    const path = new Finder([Buffer.from(PAIR.key)]);
    let paths = 0;
    readMemory(server.pid, (bytes) => {
      assert.equal(secret.in(bytes), "");
      if (path.in(bytes) !== "") paths++;
    });
    assert.ok(paths > 0, "the memory was read");
  } finally {
    await server.close();
  }
}

describe("secrets of HTTPS", { skip: NO_OPENSSL || NO_FFI }, () => {
  it("the text of the private key stays nowhere in the process", async () => {
    await assertForgotten();
  });

  it("nor if the runtime restricts what may be read", { skip: NO_PERMISSIONS }, async () => {
    if (RUNTIME === "node") {
      const ffi = capabilities().backend === "node" ? "--allow-ffi" : "--allow-addons";
      return await assertForgotten(["--permission", "--allow-fs-read=*", ffi]);
    }
    const flags = ["--no-prompt", "--allow-ffi", "--allow-net", "--allow-env"];
    await assertForgotten([...flags, "--allow-read"]);
    await assertForgotten([...flags, `--allow-read=${made.folder},${process.cwd()}`]);
  });

  it("no thread's JavaScript can reach keys or traffic secrets", {
    skip: NEEDS_NODE,
  }, async () => {
    await withServers(async ([port, taking, refusing], dump) => {
      const { socket, secrets } = await dial(port!);
      const old = await dial(port!, { maxVersion: "TLSv1.2" });
      const ticket = old.socket.getTLSTicket()!;
      const others = [await dial(taking!), await dial(refusing!)];
      // The threads notice the debugger when they have something to do.
      const wake = setInterval(() => {
        socket.write("GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n");
      }, 20);
      socket.resume();
      const dumps = await dump();
      clearInterval(wake);

      assert.equal(dumps.length, 4, "two files for each of two threads");
      const all = [secrets, old.secrets, ...others.map((other) => other.secrets)];
      const hidden = [numberOf(PAIR.key), ...all.flatMap((each) => each.all)];
      assert.ok(hidden.length > 30);
      const finder = new Finder([...base64Of(PAIR.key), ...hidden.flatMap(spellings)]);
      for (const bytes of dumps) {
        assert.equal(finder.in(bytes), "");
        for (const key of candidates(bytes, ticket)) assert.ok(!opens(key, ticket));
      }
      for (const each of [socket, old.socket, ...others.map((other) => other.socket)]) {
        each.destroy();
      }
    });
  });
});

/** What follows each copy of the name of the key that a ticket starts with. */
function candidates(bytes: Buffer, ticket: Buffer): Buffer[] {
  const found: Buffer[] = [];
  const name = ticket.subarray(0, 16);
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
    found.push(bytes.subarray(at + 16, at + 48));
  }
  return found;
}

/** Whether this key authenticates the ticket: RFC 5077, 4. */
function opens(key: Buffer, ticket: Buffer): boolean {
  const tag = createHmac("sha256", key).update(ticket.subarray(0, -32)).digest();
  return tag.equals(ticket.subarray(-32));
}
