/**
 * A program that has patched the methods of all responses before sluice saw any, as tools do that
 * compress or watch.
 */

import assert from "node:assert/strict";
import { ServerResponse } from "node:http";
import { after, describe, it } from "node:test";
import { serveStatic } from "../../src/http/mod.ts";
import { createReadStream, sendFile } from "../../src/mod.ts";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { download } from "../_kit/serve.ts";

const { write } = ServerResponse.prototype;
ServerResponse.prototype.write = function (
  this: ServerResponse,
  chunk: Uint8Array,
  ...rest: unknown[]
): boolean {
  return write.apply(this, [inverted(chunk), ...rest] as never);
} as typeof write;

function inverted(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => byte ^ 0xff);
}

const folder = new Folder();
const content = noise(500_000);
const path = folder.file(content);
after(() => folder.remove());

const files = serveStatic(folder.path);
const WAYS: Record<string, (res: ServerResponse) => unknown> = {
  "sendFile()": (res) => sendFile(res, path),
  "createReadStream().pipe()": (res) => {
    res.setHeader("Content-Length", content.length);
    createReadStream(path).pipe(res);
  },
  "serveStatic()": (res) => files(res.req, res),
};

describe("a patch of ServerResponse.prototype.write", () => {
  for (const [name, answer] of Object.entries(WAYS)) {
    it(`sees each byte: ${name}`, async () => {
      const name = path.slice(folder.path.length);
      const { body, sent } = await download((_, res) => void answer(res), name);
      assert.equal(sha256(body), sha256(inverted(content)));
      assert.equal(sent, 0);
    });
  }
});
