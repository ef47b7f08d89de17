/** Requests that are almost right, thrown at a server. @module */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { talk } from "../../_kit/raw_http.ts";
import { SECRET, TWENTY } from "./_site.ts";

const SEEDS = [
  "GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /dir/?x=%41 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip\r\nConnection: keep-alive\r\n\r\n",
  'HEAD /large.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1,5-9\r\nIf-Range: "x"\r\n\r\n',
  'GET /../outside.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: "a", W/"b", *\r\n\r\n',
  "GET /linked/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "POST /file.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "GET /plain/ HTTP/1.1\r\nHost: [::1]:80\r\nAccept: application/json\r\n\r\n",
];

const TOKENS = [
  ...[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    ":",
    "%2e%2e/",
    "../",
    "%00",
    "/",
    "//",
    "?",
    "#",
    "\x7f",
    "\xff",
  ],
  ...["HTTP/1.1", "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n", "0"],
  ...["Range: bytes=-9223372036854775809\r\n", "9".repeat(40), ",".repeat(200), "bytes=", "%"],
];

/** A small generator of numbers in 0..1, the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

function mutate(text: string, random: () => number): string {
  for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
    const at = Math.floor(random() * (text.length + 1));
    const until = Math.min(text.length, at + Math.floor(random() * 8));
    const token = random() < 0.5
      ? TOKENS[Math.floor(random() * TOKENS.length)]!
      : String.fromCharCode(Math.floor(random() * 256));
    const kind = random();
    if (kind < 0.4) text = text.slice(0, at) + token + text.slice(at);
    else if (kind < 0.7) text = text.slice(0, at) + token + text.slice(until);
    else if (kind < 0.9) text = text.slice(0, at) + text.slice(until);
    else text = text.slice(0, until) + text.slice(at);
  }
  return text;
}

/**
 * Sends `count` mutated requests, each on a connection of its own behind some that are intact, and
 * with more behind it; the server must live, and keep its secret.
 */
export async function throwAt(port: number, count: number, seed: number): Promise<void> {
  const random = generator(seed);
  const CLIENTS = 8;
  const pick = () => SEEDS[Math.floor(random() * SEEDS.length)]!;
  for (let done = 0; done < count;) {
    const clients = Array.from({ length: CLIENTS }, () => {
      let text = "";
      // A refused request ends its connection, so only the first mutated one is certainly read.
      for (let left = Math.floor(random() * 3); left > 0; left--) text += pick();
      for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
        text += mutate(pick(), random);
      }
      return text;
    });
    done += CLIENTS;
    await Promise.all(clients.map((text) => throwOne(port, text)));
    const alive = await talk(port, "GET /file.txt HTTP/1.0\r\n\r\n");
    assert.ok(alive.toString().endsWith(TWENTY), "the server answers no more");
  }
}

async function throwOne(port: number, text: string): Promise<void> {
  const chunks: Buffer[] = [];
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.setTimeout(20_000, () => socket.destroy(new Error(`no end: ${JSON.stringify(text)}`)));
  let failure: Error | undefined;
  socket.on("error", (error) => {
    if (/no end/.test(error.message)) failure = error;
  });
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  // The end of the input ends a head that is not whole, and the body of a request.
  socket.end(Buffer.from(text, "latin1"));
  socket.on("end", () => socket.destroy());
  await once(socket, "close");
  if (failure !== undefined) throw failure;
  const answer = Buffer.concat(chunks).toString("latin1");
  assert.ok(!answer.includes(SECRET), `outside of the root: ${JSON.stringify(text)}`);
  assert.ok(answer === "" || answer.startsWith("HTTP/1.1 "), JSON.stringify(text));
  assert.doesNotMatch(answer, /^HTTP\/1\.1 500 /m, JSON.stringify(text));
}
