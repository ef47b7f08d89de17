/** The server of slow_files.ts: FUSE over /dev/fuse; see include/uapi/linux/fuse.h. @module */

import process, { argv, exit, stdout } from "node:process";
import { raw } from "../../src/sys/mod.ts";
import { PollEvent } from "../../src/sys/mod.ts";
import { syscall } from "../../src/sys/raw/syscall.ts";
import { ready } from "../../src/threads/poll/poll_ready.ts";
import { bytesOf, LARGE } from "./slow_files.ts";

const [path, delay, only] = argv.slice(2) as [string, string, string];
const delayMs = Number(delay);

const O_RDWR_NONBLOCK = 0o4002;
const MOUNT = process.arch === "arm64" ? 40 : 165;
const EIO = 5;
const EINVAL = 22;
const ENOENT = 2;
const ENOSYS = 38;

const Op = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  OPEN: 14,
  READ: 15,
  STATFS: 17,
  RELEASE: 18,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  INTERRUPT: 36,
  BATCH_FORGET: 42,
} as const;

/** By node number; 1 is the folder. */
const FILES: Record<number, { name: string; bytes: Uint8Array; size: number }> = {
  2: { name: "small", bytes: bytesOf(1000), size: 1000 },
  3: { name: "large", bytes: bytesOf(LARGE), size: LARGE },
  4: { name: "lengthless", bytes: bytesOf(5000), size: 0 },
  5: { name: "failing", bytes: new Uint8Array(0), size: 0 },
  6: { name: "breaking", bytes: bytesOf(8192), size: 0 },
  7: { name: "sparse", bytes: bytesOf(LARGE), size: LARGE },
};
/** Files that tell no length; the kernel would read nothing of them through the page cache. */
const LENGTHLESS = [4, 5, 6];
const FAILING = 5;
/** Fails behind its first half. */
const BREAKING = 6;
const HALF = 4096;
const SPARSE = 7;

const fd = raw.open("/dev/fuse", O_RDWR_NONBLOCK, 0);
const c = (text: string) => new TextEncoder().encode(`${text}\0`);
const options = c(`fd=${fd},rootmode=40000,user_id=0,group_id=0,allow_other`);
const result = syscall(MOUNT, c("sluice"), c(path), c("fuse"), 0, options);
if (fd < 0 || result < 0) {
  console.error(`Cannot mount: ${fd} ${result}`);
  exit(1);
}

/** `struct fuse_attr`, with a validity time of zero. */
function attributes(node: number, at: number, out: DataView): void {
  const file = FILES[node];
  out.setBigUint64(at, BigInt(node), true);
  out.setBigUint64(at + 8, BigInt(file?.size ?? 0), true);
  const blocks = node === SPARSE ? 8 : Math.ceil((file?.size ?? 0) / 512);
  out.setBigUint64(at + 16, BigInt(blocks), true);
  out.setBigUint64(at + 32, 1_700_000_000n, true);
  out.setUint32(at + 60, file === undefined ? 0o40755 : 0o100644, true);
  out.setUint32(at + 64, 1, true);
  out.setUint32(at + 80, 4096, true);
}

function answer(opcode: number, node: number, body: DataView): Uint8Array | number {
  const out = new DataView(new ArrayBuffer(128));
  const first = (count: number) => new Uint8Array(out.buffer, 0, count);
  switch (opcode) {
    case Op.INIT:
      out.setUint32(0, 7, true);
      out.setUint32(4, 31, true);
      out.setUint32(8, 128 * 1024, true);
      // FUSE_AUTO_INVAL_DATA, as libfuse: the kernel asks for attributes at every read.
      out.setUint32(12, body.getUint32(12, true) & (1 << 12), true);
      out.setUint16(16, 64, true);
      out.setUint16(18, 48, true);
      out.setUint32(20, 128 * 1024, true);
      out.setUint32(24, 1, true);
      return first(64);
    case Op.LOOKUP: {
      const bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
      const name = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
      const found = Object.entries(FILES).find(([, file]) => file.name === name);
      if (found === undefined) return -ENOENT;
      out.setBigUint64(0, BigInt(found[0]), true);
      attributes(Number(found[0]), 40, out);
      return first(128);
    }
    case Op.GETATTR:
      attributes(node, 16, out);
      return first(104);
    case Op.OPEN:
    case Op.OPENDIR:
      // FOPEN_DIRECT_IO.
      out.setUint32(8, LENGTHLESS.includes(node) ? 1 : 0, true);
      return first(16);
    case Op.READ: {
      const offset = Number(body.getBigUint64(8, true));
      const end = offset + body.getUint32(16, true);
      if (node === FAILING || (node === BREAKING && offset >= HALF)) return -EINVAL;
      return FILES[node]!.bytes.subarray(offset, node === BREAKING ? Math.min(end, HALF) : end);
    }
    case Op.READDIR: {
      if (body.getBigUint64(8, true) > 0n) return first(0);
      const entries = Object.entries(FILES).flatMap(([number, { name }], index) => {
        const entry = new DataView(new ArrayBuffer(24 + Math.ceil(name.length / 8) * 8));
        entry.setBigUint64(0, BigInt(number), true);
        entry.setBigUint64(8, BigInt(index + 1), true);
        entry.setUint32(16, name.length, true);
        entry.setUint32(20, 8, true);
        new Uint8Array(entry.buffer).set(new TextEncoder().encode(name), 24);
        return [...new Uint8Array(entry.buffer)];
      });
      return Uint8Array.from(entries);
    }
    case Op.STATFS:
      out.setUint32(40, 4096, true);
      out.setUint32(44, 255, true);
      return first(80);
    case Op.RELEASE:
    case Op.RELEASEDIR:
    case Op.FLUSH:
      return first(0);
    default:
      return -ENOSYS;
  }
}

function reply(unique: bigint, found: Uint8Array | number): void {
  const bytes = typeof found === "number" ? new Uint8Array(0) : found;
  const out = new Uint8Array(16 + bytes.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, out.length, true);
  view.setInt32(4, typeof found === "number" ? found : 0, true);
  view.setBigUint64(8, unique, true);
  out.set(bytes, 16);
  // Fails if the request was interrupted meanwhile.
  raw.write(fd, out);
}

function serve(request: Uint8Array): void {
  const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
  const opcode = view.getUint32(4, true);
  const unique = view.getBigUint64(8, true);
  const node = Number(view.getBigUint64(16, true));
  const silent = [Op.FORGET, Op.BATCH_FORGET, Op.INTERRUPT] as readonly number[];
  if (silent.includes(opcode)) return;
  const body = new DataView(request.buffer, request.byteOffset + 40, request.byteLength - 40);
  const found = answer(opcode, node, body);
  if (opcode === Op.INIT) {
    reply(unique, found);
    stdout.write("mounted\n");
  } else if (!isSlow(opcode)) reply(unique, found);
  else if (Number.isFinite(delayMs)) setTimeout(() => reply(unique, found), delayMs);
}

function isSlow(opcode: number): boolean {
  return only === "" || opcode === Op[only as keyof typeof Op];
}

const buffer = new Uint8Array(256 * 1024);
for (;;) {
  await ready(fd, PollEvent.IN);
  for (;;) {
    const count = raw.read(fd, buffer);
    if (count <= 0) {
      // ENODEV: the file system has been unmounted.
      if (count !== -11 && count !== -ENOENT && count !== -EIO) exit(0);
      break;
    }
    serve(buffer.slice(0, count));
    // Like a stopped server: not even SIGKILL ends the calls that it has taken and not answered.
    if (!Number.isFinite(delayMs) && only === "") {
      await new Promise(() => setInterval(() => {}, 1000));
    }
  }
}
