/** Ways in which programs use a file stream before, while and after they pipe it. @module */

import { once } from "node:events";
import type { ReadStream } from "node:fs";
import { PassThrough, pipeline, Transform, Writable } from "node:stream";

/** Uses `stream` so that `target` gets its bytes, and ends `target`. */
export type Pattern = (stream: ReadStream, target: Writable) => unknown;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const MARK = Buffer.from("<mark>");

/** Reads by hand until there is something. */
async function readSome(stream: ReadStream, count?: number): Promise<Buffer> {
  for (;;) {
    const piece = stream.read(count) as Buffer | null;
    if (piece !== null) return piece;
    await once(stream, "readable");
  }
}

/** A destination beside the one that counts. */
const beside = () => new Writable({ write: (_chunk, _encoding, done) => setImmediate(done) });

const identity = () => new Transform({ transform: (chunk, _, done) => done(null, chunk) });

/** Each gives `target` the same bytes however fast the file, the stream and the target are. */
export const PATTERNS: Readonly<Record<string, Pattern>> = {
  "pipe()": (stream, target) => stream.pipe(target),
  "pipe() after open": (stream, target) => stream.once("open", () => stream.pipe(target)),
  "pipe() after ready": (stream, target) => stream.once("ready", () => stream.pipe(target)),
  "pipe() after a while": async (stream, target) => {
    await turn();
    await turn();
    stream.pipe(target);
  },
  "pipe() after readable": async (stream, target) => {
    await once(stream, "readable");
    stream.pipe(target);
  },
  "pipe() in a readable listener": (stream, target) => {
    stream.once("readable", () => stream.pipe(target));
  },
  "pipe() a turn after readable": async (stream, target) => {
    await once(stream, "readable");
    await turn();
    stream.pipe(target);
  },
  "pipe() after readable and read(0)": async (stream, target) => {
    await once(stream, "readable");
    stream.read(0);
    await turn();
    stream.pipe(target);
  },
  "read(0) and pipe()": (stream, target) => {
    stream.read(0);
    stream.pipe(target);
  },
  "readable, pause(), resume(), pipe()": async (stream, target) => {
    await once(stream, "readable");
    stream.pause();
    stream.pipe(target);
    await turn();
    stream.resume();
  },
  "pause(), pipe(), resume()": async (stream, target) => {
    stream.pause();
    stream.pipe(target);
    await turn();
    stream.resume();
  },
  "resume(), pause(), pipe()": (stream, target) => {
    stream.resume();
    stream.pause();
    stream.pipe(target);
  },
  "pause() and resume(), again and again": async (stream, target) => {
    stream.pipe(target);
    for (let i = 0; i < 20; i++) {
      await turn();
      stream.pause();
      await turn();
      stream.resume();
    }
  },
  "pause() at each data": (stream, target) => {
    stream.on("data", () => {
      stream.pause();
      setImmediate(() => stream.resume());
    });
    stream.pipe(target);
  },
  "pause() at the first data": (stream, target) => {
    stream.pipe(target);
    stream.once("data", () => {
      stream.pause();
      setImmediate(() => stream.resume());
    });
  },
  "unshift() and pipe()": (stream, target) => {
    stream.unshift(MARK);
    stream.pipe(target);
  },
  "readable, unshift(), pipe()": async (stream, target) => {
    await once(stream, "readable");
    stream.unshift(MARK);
    stream.pipe(target);
  },
  "readable, unshift() twice, pipe()": async (stream, target) => {
    await once(stream, "readable");
    stream.unshift(MARK);
    await turn();
    stream.unshift(MARK);
    stream.pipe(target);
  },
  "read(10), unshift(), pipe()": async (stream, target) => {
    stream.unshift(await readSome(stream, 10));
    stream.pipe(target);
  },
  "read(), unshift(), pipe() a turn later": async (stream, target) => {
    const piece = await readSome(stream);
    await turn();
    stream.unshift(piece);
    stream.pipe(target);
  },
  "read(10), write(), pipe()": async (stream, target) => {
    target.write(await readSome(stream, 10));
    stream.pipe(target);
  },
  "read(), write(), pipe()": async (stream, target) => {
    target.write(await readSome(stream));
    stream.pipe(target);
  },
  "read(1) and read(), write(), pipe()": async (stream, target) => {
    target.write(await readSome(stream, 1));
    target.write(await readSome(stream));
    await turn();
    stream.pipe(target);
  },
  "a readable listener for some, then pipe()": (stream, target) => {
    let pieces = 0;
    const listener = () => {
      for (let piece; pieces < 3 && (piece = stream.read(1001)) !== null; pieces++) {
        target.write(piece);
      }
      if (pieces < 3) return;
      stream.off("readable", listener);
      setImmediate(() => stream.pipe(target));
    };
    stream.on("readable", listener);
  },
  "data once, pause(), pipe()": (stream, target) => {
    stream.once("data", (piece) => {
      target.write(piece);
      stream.pause();
      setImmediate(() => stream.pipe(target));
    });
  },
  "pipe() in a data listener": (stream, target) => {
    stream.once("data", (piece) => {
      target.write(piece);
      stream.pipe(target);
    });
  },
  "read() in a data listener": (stream, target) => {
    stream.once("data", () => void stream.read(0));
    stream.pipe(target);
  },
  "a data listener for a while": async (stream, target) => {
    const listener = () => {};
    stream.pipe(target);
    stream.on("data", listener);
    await turn();
    stream.off("data", listener);
  },
  "a second destination": (stream, target) => {
    stream.pipe(beside());
    stream.pipe(target);
  },
  "a second destination for a while": async (stream, target) => {
    const other = beside();
    stream.pipe(other);
    stream.pipe(target);
    await turn();
    stream.unpipe(other);
  },
  "a second destination later": async (stream, target) => {
    stream.pipe(target);
    await turn();
    stream.pipe(beside());
  },
  "unpipe() and pipe()": async (stream, target) => {
    stream.pipe(target);
    await turn();
    stream.unpipe(target);
    await turn();
    stream.pipe(target);
  },
  "unpipe() and pipe(), again and again": async (stream, target) => {
    for (let i = 0; i < 10; i++) {
      stream.pipe(target);
      await turn();
      stream.unpipe();
      if (i % 2 === 0) await turn();
    }
    stream.pipe(target);
  },
  "pipe() without end": (stream, target) => {
    stream.pipe(target, { end: false });
    stream.once("end", () => target.end());
  },
  "pipe() after readable, without end": async (stream, target) => {
    await once(stream, "readable");
    stream.pipe(target, { end: false });
    stream.once("end", () => target.end());
  },
  "pipe() through a transform": (stream, target) => stream.pipe(identity()).pipe(target),
  "pipe() through a PassThrough": (stream, target) => stream.pipe(new PassThrough()).pipe(target),
  "pipeline()": (stream, target) => pipeline(stream, target, () => {}),
  "pipeline() after readable": async (stream, target) => {
    await once(stream, "readable");
    pipeline(stream, target, () => {});
  },
  "an iterator for one piece, then pipe()": async (stream, target) => {
    for await (const piece of stream.iterator({ destroyOnReturn: false })) {
      target.write(piece);
      break;
    }
    stream.pipe(target);
  },
  "an iterator for three pieces, then pipe()": async (stream, target) => {
    let count = 0;
    for await (const piece of stream.iterator({ destroyOnReturn: false })) {
      target.write(piece);
      if (++count === 3) break;
    }
    if (stream.readableEnded) target.end();
    else stream.pipe(target);
  },
  "setEncoding() and pipe()": (stream, target) => stream.setEncoding("hex").pipe(target),
  "readable, setEncoding(), pipe()": async (stream, target) => {
    await once(stream, "readable");
    stream.setEncoding("hex");
    stream.pipe(target);
  },
  "write() and pipe()": (stream, target) => {
    target.write(MARK);
    stream.pipe(target);
  },
  "a corked target": async (stream, target) => {
    target.cork();
    target.write(MARK);
    stream.pipe(target);
    await turn();
    target.uncork();
  },
  "write() at readable, then pipe()": async (stream, target) => {
    await once(stream, "readable");
    target.write(MARK);
    stream.pipe(target);
  },
  "removeAllListeners() after readable, then pipe()": async (stream, target) => {
    await once(stream, "readable");
    stream.removeAllListeners("readable");
    stream.pipe(target);
  },
};
