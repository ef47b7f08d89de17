import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
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

const ESCAPE = new URL("../_fixtures/escape.ts", import.meta.url);

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

/** Attempts that succeed without the sandbox, to prove that they are real. */
const REACHABLE = [
  "stat",
  "read",
  "chmod",
  "utimes",
  "Unix stream",
  "Unix datagram",
  "UDP",
  "netlink",
  "connect to a path",
  "send to an address",
  "signal the parent",
];

/** Outcomes of the attempts of a hook in the server's thread; nothing may have changed afterwards. */
async function outcomes(
  options: Partial<FileServerOptions>,
  target: string,
  also?: (port: number) => Promise<void>,
): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  const outside = join(folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), SECRET);
  symlinkSync("file", join(outside, "link"));
  const before = statSync(join(outside, "file"));
  const udp = createSocket("udp4").bind(0, "127.0.0.1");
  await once(udp, "listening");
  let datagrams = 0;
  udp.on("message", () => datagrams++);
  const unix = await startProgram(saying(HELLO), join(folder, "unix"));
  process.env["SLUICE_TEST_OUTSIDE"] = outside;
  process.env["SLUICE_TEST_UNIX"] = join(folder, "unix");
  process.env["SLUICE_TEST_UDP"] = String(udp.address().port);
  const result: Record<string, string> = {};
  try {
    await withServer({ ...options, headers: ESCAPE }, async (port) => {
      const { headers, status } = await fetchRaw(port, target);
      assert.equal(status, 200);
      Object.assign(result, JSON.parse(headers.get("x-outcomes")!));
      await also?.(port);
    });
    if (options.sandbox !== true) return result;
    assert.deepEqual(readdirSync(outside).sort(), ["file", "link"]);
    assert.equal(readFileSync(join(outside, "file"), "utf8"), SECRET);
    const { mode, mtimeMs, uid } = statSync(join(outside, "file"));
    assert.deepEqual({ mode, mtimeMs, uid }, {
      mode: before.mode,
      mtimeMs: before.mtimeMs,
      uid: before.uid,
    });
    assert.equal(datagrams, 0);
    assert.equal(unix.requests.length, 0);
    return result;
  } finally {
    udp.close();
    await unix.close();
    rmSync(folder, { recursive: true, force: true });
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

  it("asks for passwords", { skip: NO_LANDLOCK }, async () => {
    // Hashes, too: the runtime may load a library for them.
    const htpasswd = "a:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\nb:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0";
    await withServer(
      { sandbox: true, auth: { users: { c: "secret" }, htpasswd } },
      async (port) => {
        assert.equal((await fetchRaw(port, "/file.txt")).status, 401);
        for (const user of ["a", "b", "c"]) {
          const Authorization = `Basic ${btoa(`${user}:secret`)}`;
          assert.equal((await fetchRaw(port, "/file.txt", { Authorization })).status, 200, user);
        }
      },
    );
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

  it("reaches nothing outside by any system call", { skip: NO_LANDLOCK }, async () => {
    const free = await outcomes({}, "/app.js");
    for (const what of REACHABLE) assert.equal(free[what], "done", what);
    const held = await outcomes({ sandbox: true }, "/file.txt");
    assert.equal(Object.keys(held).length > Object.keys(free).length, true);
    for (const [what, outcome] of Object.entries(held)) {
      assert.match(outcome, /^(EPERM|EACCES)$/, what);
    }
  });

  it("connects to its program only, of all sockets", { skip: NO_LANDLOCK }, async () => {
    for (const unix of [false, true]) {
      const path = unix ? join(mkdtempSync(join(tmpdir(), "sluice-")), "s") : undefined;
      const program = await startProgram(saying(HELLO), path);
      const fallback = path === undefined ? `127.0.0.1:${program.port}` : `unix:${path}`;
      const held = await outcomes({ sandbox: true, fallback }, "/file.txt", async (port) => {
        for (let i = 0; i < 3; i++) {
          assert.equal((await fetchRaw(port, "/absent")).body.toString(), "hello");
        }
      });
      // A socket of the kind that is allowed, which leads nowhere else.
      const { "Unix stream": stream, ...others } = held;
      assert.equal(stream, unix ? "done" : "EPERM");
      for (const [what, outcome] of Object.entries(others)) {
        assert.match(outcome, /^(EPERM|EACCES)$/, what);
      }
      await program.close();
      if (path !== undefined) rmSync(dirname(path), { recursive: true });
    }
  });

  it("follows links with absolute paths that stay inside", { skip: NO_LANDLOCK }, async () => {
    await withServer({ sandbox: true }, async (port, site) => {
      const { parent, root } = site;
      const links = {
        "abs.txt": join(root, "file.txt"),
        "abs": root,
        "chain": "abs/abs.txt",
        "up": "dir/../inner.txt",
        "loop": join(root, "loop"),
        "out": join(parent, "outside.txt"),
        "beside": `${root}-secret/x`,
        "back": join(root, "../outside.txt"),
      };
      for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
      for (const target of ["/abs.txt", "/abs/file.txt", "/chain", "/up", "/abs/abs/file.txt"]) {
        assert.equal((await fetchRaw(port, target)).body.toString(), TWENTY, target);
      }
      for (const target of ["/loop", "/out", "/beside", "/back", "/abs/out"]) {
        const { body, status } = await fetchRaw(port, target);
        assert.notEqual(status, 200, target);
        assert.ok(!body.includes(SECRET), target);
      }
    });
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
