import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createFileServer, type FileServerOptions } from "../../../../src/http/mod.ts";
import { raw } from "../../../../src/sys/mod.ts";
import { fetchRaw } from "../../../_kit/raw_http.ts";
import { saying, startProgram } from "../_program.ts";
import { LARGE_BYTES, makeSite, SECRET, TWENTY } from "../_site.ts";

const VERSION = raw.landlockVersion();

const NO_LANDLOCK = VERSION > 0 ? false : "the kernel has no Landlock, or has it switched off";
const NO_PORTS = VERSION >= 4 ? false : "this Landlock knows nothing of ports: Linux 6.7";
const NO_REFUSAL = VERSION > 0 ? "the kernel has Landlock" : false;

const HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

async function withServer(
  options: Partial<FileServerOptions>,
  body: (port: number, site: ReturnType<typeof makeSite>) => Promise<void>,
): Promise<void> {
  const site = makeSite();
  const server = createFileServer({ root: site.root, ...options });
  try {
    await body((await server.listen()).port, site);
  } finally {
    await server.close({ graceMs: 0 });
    site.remove();
  }
}

describe("a server in a sandbox", () => {
  it("serves what is below its folder", { skip: NO_LANDLOCK }, async () => {
    const options = { sandbox: true, listing: true, precompressed: true, threads: 2 };
    await withServer(options, async (port) => {
      assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), TWENTY);
      assert.equal((await fetchRaw(port, "/inner.txt")).body.toString(), TWENTY);
      assert.equal((await fetchRaw(port, "/large.bin")).body.length, LARGE_BYTES);
      assert.match((await fetchRaw(port, "/")).body.toString(), /file\.txt/);
      const part = await fetchRaw(port, "/sparse", { Range: "bytes=5368709110-" });
      assert.equal(part.body.length, 10);
      const br = await fetchRaw(port, "/app.js", { "Accept-Encoding": "br" });
      assert.equal(br.headers.get("content-encoding"), "br");
    });
  });

  it("can open nothing else, whatever it is told", { skip: NO_LANDLOCK }, async () => {
    // Without the sandbox this policy leads out; it stands for a mistake of ours.
    await withServer({ symlinks: "follow" }, async (port) => {
      assert.equal((await fetchRaw(port, "/link.txt")).body.toString(), SECRET);
    });
    await withServer({ symlinks: "follow", sandbox: true }, async (port, site) => {
      for (const target of ["/link.txt", "/linked/x", "/etc/passwd"]) {
        const { body, status } = await fetchRaw(port, target);
        assert.equal(status, 403, target);
        assert.ok(!body.includes(SECRET), target);
      }
      assert.equal((await fetchRaw(port, "/inner.txt")).body.toString(), TWENTY);
      // The program itself is as free as it was.
      assert.equal(readFileSync(join(site.parent, "outside.txt"), "utf8"), SECRET);
      const another = createFileServer({ root: site.parent });
      const { port: anotherPort } = await another.listen();
      assert.equal((await fetchRaw(anotherPort, "/outside.txt")).body.toString(), SECRET);
      await another.close({ graceMs: 0 });
    });
  });

  it("may connect to its program, and to no other port", { skip: NO_PORTS }, async () => {
    const program = await startProgram(saying(HELLO));
    const fallback = `127.0.0.1:${program.port}`;
    await withServer({ sandbox: true, fallback }, async (port) => {
      assert.equal((await fetchRaw(port, "/absent")).body.toString(), "hello");
    });
    await program.close();
  });

  it("is refused where it cannot be had", { skip: NO_REFUSAL }, async () => {
    const server = createFileServer({ root: ".", sandbox: true });
    await assert.rejects(server.listen(), { name: "UnsupportedError", message: /Landlock/ });
    await server.close();
  });

  it("is a yes or a no", () => {
    const options = { root: ".", sandbox: 1 } as unknown as FileServerOptions;
    assert.throws(() => createFileServer(options), TypeError);
  });
});
