/**
 * Servers of HTTPS on Node.js that show what JavaScript can reach in each thread. Prints the ports
 * of a file server, whose option `tls` is the argument as JSON, and of two servers of `node:https`
 * with a simulated kernel TLS, which takes or refuses keys. For a folder on its input, it writes
 * there a heap snapshot of each thread and the bytes of all `ArrayBuffer`s, and then prints a line.
 */
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { Session } from "node:inspector/promises";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { writeHeapSnapshot } from "node:v8";
import type { Worker } from "node:worker_threads";
import { builtin } from "../../../src/builtins.ts";
import { createFileServer } from "../../../src/http/mod.ts";
import { prepare } from "../../../src/runtime/kernel_tls/server.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";

const workers: Worker[] = [];
const threads = builtin("worker_threads");
threads.Worker = class extends threads.Worker {
  constructor(...given: ConstructorParameters<typeof Worker>) {
    super(...given);
    workers.push(this);
  }
};

/** A server of `node:https`; `switched` resolves once the key of a connection was offered. */
async function serve(result: number): Promise<{ port: number; switched: Promise<void> }> {
  const server = createServer({ key: KEY, cert: CERTIFICATE }, (_, res) => void res.end("hello"));
  const switched = Promise.withResolvers<void>();
  const encrypt = () => {
    switched.resolve();
    return result;
  };
  prepare(server, { encrypt, sendCloseNotify: () => 0 });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { port: (server.address() as AddressInfo).port, switched: switched.promise };
}

type Post = (method: string, params?: object) => Promise<unknown>;

/** Calls the debugger of each thread: the first is this one. */
async function debuggers(): Promise<Post[]> {
  const session = new Session();
  session.connect();
  const found: Post[] = [(method, params) => session.post(method, params)];
  const waiting = new Map<number, (result: unknown) => void>();
  session.on(
    "NodeWorker.attachedToWorker",
    ({ params: { sessionId } }) =>
      found.push((method, params = {}) => {
        const id = waiting.size + 1;
        const message = JSON.stringify({ id, method, params });
        const { promise, resolve } = Promise.withResolvers<unknown>();
        waiting.set(id, resolve);
        void session.post("NodeWorker.sendMessageToWorker", { sessionId, message });
        return promise;
      }),
  );
  session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
    const { id, result } = JSON.parse(params.message);
    waiting.get(id)?.(result);
  });
  await session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  return found;
}

/** Has a thread write the bytes of its buffers; the debugger collects garbage first. */
async function writeBuffers(post: Post, file: string): Promise<void> {
  const expression = "ArrayBuffer.prototype";
  const { result } = await post("Runtime.evaluate", { expression }) as {
    result: { objectId: string };
  };
  const { objects } = await post("Runtime.queryObjects", {
    prototypeObjectId: result.objectId,
  }) as { objects: { objectId: string } };
  const name = JSON.stringify(file);
  const functionDeclaration = `function () {
    const { appendFileSync } = process.getBuiltinModule("fs");
    for (const buffer of this) {
      if (buffer.byteLength > 0) appendFileSync(${name}, new Uint8Array(buffer));
    }
  }`;
  await post("Runtime.callFunctionOn", { objectId: objects.objectId, functionDeclaration });
}

const tls = JSON.parse(process.argv[2]!);
const server = createFileServer({ root: import.meta.dirname, threads: 1, tls });
const { port } = await server.listen();
const [taking, refusing] = [await serve(0), await serve(-95)];
console.log(JSON.stringify([port, taking.port, refusing.port]));

const posts = await debuggers();
for await (const folder of createInterface({ input: process.stdin })) {
  await Promise.all([taking.switched, refusing.switched]);
  for (const [index, post] of posts.entries()) await writeBuffers(post, `${folder}/${index}.bytes`);
  writeHeapSnapshot(`${folder}/main.heapsnapshot`);
  for (const worker of workers) {
    const pieces: Uint8Array[] = [];
    for await (const piece of await worker.getHeapSnapshot()) pieces.push(piece);
    writeFileSync(`${folder}/${worker.threadId}.heapsnapshot`, Buffer.concat(pieces));
  }
  console.log("written");
}
