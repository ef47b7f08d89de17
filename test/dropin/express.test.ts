import "../../src/register.ts";
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import { sha256 } from "../_kit/bytes.ts";
import { Client, recording, withServer } from "../_kit/serve.ts";
import { describeServer, files, patchIfAsked, root } from "./_battery.ts";

type Done = (error?: Error & { code?: string }) => void;

/** The part of Express that is used. */
interface Response extends ServerResponse {
  sendFile(path: string, options?: object, done?: Done): void;
  download(path: string, name?: string, done?: Done): void;
}
type Handler = (req: IncomingMessage, res: Response, next: (error?: unknown) => void) => void;
interface App {
  (req: IncomingMessage, res: ServerResponse): void;
  set(name: string, value: string): void;
  use(handler: unknown): void;
  get(path: string, handler: Handler): void;
}
const express = createRequire(import.meta.url)("express") as {
  (): App;
  static(root: string): unknown;
};

function app(): App {
  const made = express();
  // Errors are answered, and not printed.
  made.set("env", "test");
  made.use(
    ((req, res, next) => {
      patchIfAsked(req, res);
      next();
    }) as Handler,
  );
  return made;
}

describeServer("express.static()", () => {
  const made = app();
  made.use(express.static(root.path));
  return Promise.resolve(createServer(made));
});

describeServer("res.sendFile()", () => {
  const made = app();
  made.get("/:name", (req, res, next) => {
    res.sendFile(req.url!.slice(1), { root: root.path }, (error) => {
      if (error && !res.headersSent) next(error);
    });
  });
  return Promise.resolve(createServer(made));
});

describe("Express with sluice/register", () => {
  const big = files.get("big.bin")!;

  it("res.download() names the file, and tells that it has been sent", async () => {
    const made = app();
    const ended = Promise.withResolvers<unknown>();
    made.get("/file", (_, res) => {
      res.download(`${root.path}/big.bin`, "name.bin", (error) => ended.resolve(error));
    });
    await withServer(made, async (port) => {
      const client = new Client(port);
      const { sent, result } = await recording(() => client.get("/file"));
      assert.equal(result.headers["content-disposition"], "attachment; filename=name.bin");
      assert.equal(sha256(result.body), sha256(big));
      assert.equal(sent, big.length);
      assert.equal(await ended.promise, undefined);
      await client.close();
    });
  });

  it("res.sendFile() tells when the download is broken off", async () => {
    const made = app();
    const ended = Promise.withResolvers<{ code?: string } | undefined>();
    made.get("/file", (_, res) => {
      res.sendFile(`${root.path}/big.bin`, {}, (error) => ended.resolve(error));
    });
    await withServer(made, async (port, _server: Server) => {
      const client = new Client(port).send("GET", "/file");
      await new Promise((resolve) => client.socket.once("data", resolve));
      client.socket.pause();
      client.reset();
      assert.equal((await ended.promise)?.code, "ECONNABORTED");
    });
  });
});
