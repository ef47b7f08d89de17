import "../../src/register.ts";
import { createServer, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { Writable } from "node:stream";
import { describeServer, patchIfAsked, root } from "./_battery.ts";

/** The part of `send` that is used. */
type Send = (req: IncomingMessage, path: string, options: { root: string }) => {
  pipe(res: Writable): unknown;
};

const send = createRequire(import.meta.url)("send") as Send;

describeServer("send", () =>
  Promise.resolve(createServer((req, res) => {
    patchIfAsked(req, res);
    send(req, req.url!, { root: root.path }).pipe(res);
  })));
