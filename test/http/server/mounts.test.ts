import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { UnsupportedError } from "../../../src/errors.ts";
import { createFileServer, type FileServer } from "../../../src/http/mod.ts";
import type { FileServerOptions } from "../../../src/http/server/control/options.ts";
import { assertDescriptors, openDescriptors } from "../../_kit/descriptors.ts";
import { raw } from "../../../src/sys/mod.ts";
import { fetchRaw, type RawResponse, responses, talk } from "../../_kit/raw_http.ts";
import { type Program, startProgram } from "./_program.ts";

const PORTABLE = process.env["SLUICE_FFI"] === "none";
const NO_SANDBOX = PORTABLE
  ? "the sandbox needs foreign calls"
  : raw.landlockVersion() <= 0 && "the kernel has no Landlock, or has it switched off";
const KEPT = PORTABLE ? false : "the kernel keeps it";
const NO_RATE = PORTABLE && "the kernel keeps this limit, and it cannot be asked";
const SECRET = "outside of all roots";

/** Folders, each with a file `who.txt` that names it. */
function makeFolders(): string {
  const parent = mkdtempSync(join(tmpdir(), "sluice-mounts-"));
  const write = (name: string, text: string) => {
    mkdirSync(join(parent, name, ".."), { recursive: true });
    writeFileSync(join(parent, name), text);
  };
  for (const name of ["main", "media", "deep", "space", "one", "two", "two-media", "wild"]) {
    write(`${name}/who.txt`, name);
  }
  write("main/media/who.txt", "hidden by the mount");
  write("main/media2/who.txt", "media2 of main");
  write("main/index.html", "home of main");
  write("media/sub/index.htm", "index of media");
  write("media/sub/list/a.txt", "a");
  write("media/.hidden", "hidden");
  write("media/app.js", "plain");
  write("media/app.js.gz", "zipped");
  write("media/large.bin", "x".repeat(300_000));
  write("secret.txt", SECRET);
  symlinkSync("../secret.txt", join(parent, "media", "link.txt"));
  symlinkSync("../main/who.txt", join(parent, "media", "other.txt"));
  return parent;
}

describe("mounts and hosts of createFileServer()", () => {
  let parent = "";
  let server: FileServer;
  let port = 0;
  let program: Program;
  const at = (name: string) => join(parent, name);
  const options = (): FileServerOptions => ({
    root: at("main"),
    mounts: {
      "/media": {
        root: at("media"),
        index: "index.htm",
        listing: true,
        precompressed: ["gzip"],
        cacheControl: "no-store",
        headers: { "X-Mount": "media" },
      },
      "/media/deep/": at("deep"),
      "/a b(ü)": { root: at("space"), dotfiles: "deny" },
    },
    hosts: {
      "One.Example": { root: at("one") },
      "two.example.": { root: at("two"), mounts: { "/media": at("two-media") } },
      "*.wild.example": { root: at("wild"), cors: true },
      "[::1]": { root: at("one") },
    },
  });

  before(async () => {
    parent = makeFolders();
    server = createFileServer(options());
    ({ port } = await server.listen());
    program = await startProgram((socket, text) => {
      const target = text.split(" ", 2)[1]!;
      const accel = target.startsWith("/accel") ? `X-Accel-Redirect: ${target.slice(6)}\r\n` : "";
      socket.end(`HTTP/1.1 200 OK\r\n${accel}Content-Length: 7\r\n\r\nprogram`);
    });
  });
  after(async () => {
    await server.close({ graceMs: 0 });
    await program.close();
    rmSync(parent, { recursive: true });
  });

  const get = (target: string, headers: Record<string, string> = {}, method = "GET") =>
    fetchRaw(port, target, headers, method);
  const say = ({ body, status }: RawResponse) => status === 200 ? String(body) : String(status);
  const who = async (target: string, host = "localhost") => say(await get(target, { Host: host }));

  it("serves each folder below its path, the longest first, and names whole", async () => {
    for (let i = 0; i < 2; i++) {
      assert.equal(await who("/who.txt"), "main");
      assert.equal(await who("/media/who.txt"), "media");
      assert.equal(await who("/media/who.txt?a=/media/deep/"), "media");
      assert.equal(await who("/media/deep/who.txt"), "deep");
      assert.equal(await who("/media2/who.txt"), "media2 of main");
      assert.equal(await who("/a%20b(%C3%BC)/who.txt"), "space");
      assert.equal(await who("/a%20b%28%c3%bc%29/who.txt"), "space");
      assert.equal(await who("/"), "home of main");
    }
  });

  it("gives each folder its own options, and none of the others'", async () => {
    const media = await get("/media/app.js", { "Accept-Encoding": "gzip" });
    assert.equal(String(media.body), "zipped");
    assert.equal(media.headers.get("cache-control"), "no-store");
    assert.equal(media.headers.get("x-mount"), "media");
    const main = await get("/who.txt", { "Accept-Encoding": "gzip" });
    assert.equal(main.headers.get("x-mount"), undefined);
    assert.equal(main.headers.get("vary"), undefined);
    assert.equal(main.headers.get("cache-control"), "public, max-age=0");
    assert.equal(await who("/media/sub/"), "index of media");
    assert.equal(await who("/media2/"), "404", "main lists nothing");
    const part = await get("/media/large.bin", { Range: "bytes=5-9" });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), "bytes 5-9/300000");
    const tag = media.headers.get("etag")!;
    const same = { "If-None-Match": tag, "Accept-Encoding": "gzip" };
    assert.equal((await get("/media/app.js", same)).status, 304);
    assert.equal((await get("/media/app.js", {}, "HEAD")).headers.get("content-length"), "5");
  });

  it("lists a folder under the path by which clients ask for it", async () => {
    const page = String((await get("/media/sub/list/")).body);
    assert.match(page, /<title>\/media\/sub\/list\/<\/title>/);
    const json = await get("/media/", { Accept: "application/json" });
    const listing = JSON.parse(String(json.body)) as { path: string; entries: { name: string }[] };
    assert.equal(listing.path, "/media/");
    const names = listing.entries.map(({ name }) => name);
    assert.ok(names.includes("who.txt") && !names.includes("deep"), names.join());
    assert.ok(!names.includes("link.txt") && !names.includes(".hidden"), names.join());
  });

  it("redirects from the path of a mount to the same with a slash", async () => {
    for (const [target, to] of [["/media", "./media/"], ["/media/deep?x", "./deep/?x"]] as const) {
      const { headers, status } = await get(target);
      assert.deepEqual([status, headers.get("location")], [301, to]);
    }
    const { headers } = await get("/media/sub");
    assert.equal(headers.get("location"), "./sub/");
  });

  it("lets no other spelling of a path lead below a mount, or out of it", async () => {
    const wrong = [
      "//media/who.txt",
      "/media//who.txt",
      "/media%2Fwho.txt",
      "/media%2fdeep/who.txt",
      "/%6dedia/who.txt",
      "/./media/who.txt",
      "/x/../media/who.txt",
      "/media/../who.txt",
      "/media/%2e%2e/who.txt",
      "/media/..%2fmain/who.txt",
      "/media/deep/../who.txt",
      "/media/deep/%2e%2e/%2e%2e/secret.txt",
      "/media\\who.txt",
      "/media;x/who.txt",
      "/MEDIA/who.txt",
      "/media./who.txt",
      "/media%20/who.txt",
      "/%61%20b(%C3%BC)/who.txt",
      "/a%20b%2fwho.txt",
      "/media/link.txt",
      "/media/other.txt",
      "/media/.hidden",
      "/media/../secret.txt",
      "/mediawho.txt",
    ];
    for (const target of wrong) assert.equal(await who(target), "404", target);
    assert.equal(await who("/media/who.txt%00"), "400");
    assert.equal(await who("/media/%zz"), "400");
    const refused = { root: at("main"), mounts: { "/.x": at("media") } };
    const other = createFileServer(refused);
    const { port: hidden } = await other.listen();
    assert.equal(say(await fetchRaw(hidden, "/.x/who.txt")), "media", "named by the program");
    assert.equal(say(await fetchRaw(hidden, "/.x/.hidden")), "404");
    await other.close();
  });

  it("takes the host of a request whatever its case, port and last dot", async () => {
    const names = ["one.example", "ONE.example:8080", "one.example.", "one.example.:1", "[::1]:9"];
    for (const host of names) assert.equal(await who("/who.txt", host), "one", host);
    assert.equal(await who("/media/who.txt", "one.example"), "404", "mounts belong to their host");
    assert.equal(await who("/who.txt", "two.example"), "two");
    assert.equal(await who("/media/who.txt", "two.example"), "two-media");
    for (const host of ["a.wild.example", "a.b.WILD.example:1"]) {
      assert.equal(await who("/who.txt", host), "wild");
    }
    const others = ["wild.example", "xwild.example", "one.example.evil", "x.one.example", "one"];
    for (const host of [...others, "[::2]", "one.example.."]) {
      assert.equal(await who("/who.txt", host), "main", host);
    }
    const preflight = {
      Host: "a.wild.example",
      Origin: "http://o",
      "Access-Control-Request-Method": "GET",
    };
    const allowed = await get("/who.txt", preflight, "OPTIONS");
    assert.equal(allowed.headers.get("access-control-allow-origin"), "*");
    const none = await get("/who.txt", { ...preflight, Host: "one.example" }, "OPTIONS");
    assert.equal(none.headers.get("access-control-allow-origin"), undefined);
  });

  it("takes the host of an absolute target before the field, and refuses two fields", async () => {
    const close = "Connection: close\r\n\r\n";
    const ask = async (head: string, method = "GET") => {
      const [first] = responses(await talk(port, `${method} ${head}\r\n${close}`), [method]);
      return say(first!);
    };
    assert.equal(
      await ask("http://two.example/media/who.txt HTTP/1.1\r\nHost: one.example"),
      "two-media",
    );
    assert.equal(await ask("http://TWO.example:80/who.txt HTTP/1.1\r\nHost: x"), "two");
    assert.equal(await ask("http://other/media/who.txt HTTP/1.1\r\nHost: one.example"), "media");
    assert.equal(await ask("http://one.example//who.txt HTTP/1.1\r\nHost: x"), "404");
    assert.equal(await ask("/who.txt HTTP/1.0"), "main");
    const twice = "/who.txt HTTP/1.1\r\nHost: one.example\r\nHost: two.example";
    assert.equal(await ask(twice), "400");
  });

  it("answers many requests on one connection, each from its own folder", async () => {
    const targets = ["/who.txt", "/media/who.txt", "/media/large.bin", "/media/deep/who.txt"];
    const hosts = ["localhost", "one.example", "two.example"];
    const text = hosts.flatMap((host) =>
      targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n`)
    );
    const all = `${text.join("\r\n")}Connection: close\r\n\r\n`;
    const got = responses(await talk(port, all), text.map(() => "GET")).map(say);
    const large = "x".repeat(300_000);
    const main = ["main", "media", large, "deep"];
    assert.deepEqual(got, [...main, "one", "404", "404", "404", "two", "two-media", "404", "404"]);
  });

  it("shows changed files and folders, and empties the caches of all on reload()", async () => {
    const file = at("deep/changing.txt");
    writeFileSync(file, "before");
    assert.equal(await who("/media/deep/changing.txt"), "before");
    writeFileSync(file, "after!");
    assert.equal(await who("/media/deep/changing.txt"), "after!");
    rmSync(file);
    assert.equal(await who("/media/deep/changing.txt"), "404");
    await server.reload();
    assert.equal(await who("/media/who.txt"), "media");
    assert.ok(server.stats().requests > 50);
  });

  it("answers 421 to unknown hosts if there is no root, before anything else", async () => {
    const strict = createFileServer({
      hosts: { "one.example": { root: at("one") } },
      fallback: { to: `127.0.0.1:${program.port}`, paths: ["/p"] },
    });
    const { port: own } = await strict.listen();
    const status = async (target: string, host: string, method = "GET") =>
      (await fetchRaw(own, target, { Host: host }, method)).status;
    assert.equal(await status("/who.txt", "one.example"), 200);
    assert.equal(await status("/p", "one.example"), 200);
    for (const target of ["/who.txt", "/p", "/none"]) {
      assert.equal(await status(target, "other.example"), 421, target);
    }
    assert.equal(await status("/who.txt", "other", "POST"), 421);
    assert.equal(
      (await talk(own, "GET /who.txt HTTP/1.0\r\n\r\n")).subarray(9, 12).toString(),
      "421",
    );
    await strict.close();
  });

  it("forwards from all folders, and sends files that the program names from them", async () => {
    const { hosts, mounts, root } = options();
    const fallback = {
      to: `127.0.0.1:${program.port}`,
      paths: ["/accel", "/media/deep/"],
      accel: true,
    };
    const proxy = createFileServer({ root, mounts, hosts, fallback });
    const { port: own } = await proxy.listen();
    const ask = async (target: string, host = "localhost") =>
      say(await fetchRaw(own, target, { Host: host }));
    assert.equal(await ask("/media/none"), "program");
    assert.equal(await ask("/media/who.txt"), "media");
    assert.equal(await ask("/media/deep/who.txt"), "program", "a path of the program's own");
    assert.equal(await ask("/accel/who.txt"), "main");
    assert.equal(await ask("/accel/media/who.txt"), "media");
    assert.equal(await ask("/accel/media/deep/who.txt"), "deep", "the program may name it");
    assert.equal(await ask("/accel/media"), "404");
    assert.equal(await ask("/accel/media/../who.txt"), "404");
    assert.equal(await ask("/accel/media/who.txt", "two.example"), "two-media");
    const text =
      "GET http://two.example/accel/media/who.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert.equal(say(responses(await talk(own, text), ["GET"])[0]!), "two-media");
    await proxy.close();
  });

  it("keeps to its folders in a sandbox, with listings", { skip: NO_SANDBOX }, async () => {
    const own = createFileServer({ ...options(), sandbox: true });
    const { port } = await own.listen();
    const who = async (target: string, host = "localhost") =>
      say(await fetchRaw(port, target, { Host: host }));
    assert.equal(await who("/who.txt"), "main");
    assert.equal(await who("/media/who.txt"), "media");
    assert.equal(await who("/media/deep/who.txt"), "deep");
    assert.equal(await who("/who.txt", "two.example"), "two");
    assert.match(await who("/media/sub/list/"), /a\.txt/);
    assert.equal(await who("/media/link.txt"), "404");
    await own.close();
  });

  it("limits the rate of one mount only, also on a connection that others use", {
    skip: NO_RATE,
  }, async () => {
    const slow = { root: at("media"), maxRate: 400_000 };
    const own = createFileServer({ root: at("media"), mounts: { "/slow": slow } });
    const { port } = await own.listen();
    const request = (target: string, more = "") =>
      `GET ${target} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
    const took = async (...targets: string[]) => {
      const from = performance.now();
      const close = "Connection: close\r\n";
      const text = targets.map((target, i) => request(target, i + 1 < targets.length ? "" : close));
      const got = responses(await talk(port, text.join("")), targets.map(() => "GET"));
      assert.ok(got.every(({ body }) => body.length === 300_000));
      return performance.now() - from;
    };
    // 300 kB at 400 kB/s: the first segments leave at once.
    const limited = await took("/large.bin", "/slow/large.bin");
    assert.ok(limited > 350, `300 kB at 400 kB/s took ${limited} ms`);
    await own.close();
  });

  it("closes all folders, also if one of them is missing or clients leave midway", async () => {
    const cycle = async () => {
      const own = createFileServer({ ...options(), threads: 2 });
      const { port } = await own.listen();
      const target = "/media/large.bin";
      for (const host of ["localhost", "two.example", "one.example"]) {
        const socket = connect(port, "127.0.0.1");
        await once(socket, "connect");
        socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\nGET /media/`);
        await once(socket, "data");
        socket.destroy();
        assert.equal(say(await fetchRaw(port, "/media/who.txt", { Host: "x" })), "media");
      }
      await own.close({ graceMs: 0 });
      const { hosts, mounts, root } = options();
      const broken = { root, mounts, hosts: { ...hosts, gone: join(parent, "none") } };
      await assert.rejects(createFileServer(broken).listen(), { code: "ENOENT" });
    };
    await cycle();
    const before = openDescriptors();
    await cycle();
    await cycle();
    await assertDescriptors(before);
  });

  it("refuses a rate that nothing can keep", { skip: KEPT }, () => {
    const slow = createFileServer({
      root: parent,
      mounts: { "/slow": { root: parent, maxRate: 5000 } },
    });
    return assert.rejects(slow.listen(), UnsupportedError);
  });

  it("remembers no more hosts than there may be", async () => {
    const names = Array.from({ length: 700 }, (_, i) => `h${i}.wild.example`);
    const text = names.map((name) => `GET /who.txt HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    const last = `GET /who.txt HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n`;
    const got = responses(await talk(port, text.join("") + last), Array(701).fill("GET"));
    assert.ok(got.slice(0, 700).every((one) => say(one) === "wild"));
    assert.equal(say(got[700]!), "one");
  });

  it("says what is wrong with the options", () => {
    const root = parent;
    const refused: [object, RegExp][] = [
      [{ root, mounts: { media: root } }, /holds 'media'|holds "media"/],
      [{ root, mounts: { "/": root } }, /begins with "\/"/],
      [{ root, mounts: { "/a//b": root } }, /mounts holds/],
      [{ root, mounts: { "/a/../b": root } }, /mounts holds/],
      [{ root, mounts: { "/a": root, "/a/": root } }, /"\/a" and "\/a\/", one path/],
      [{ root, mounts: { "/a": {} } }, /mounts\["\/a"\] has no root/],
      [{ root, mounts: { "/a": 5 } }, /./],
      [{ root, mounts: [] }, /mounts must be an object/],
      [{ root, mounts: { "/a": { root, sandbox: true } } }, /holds sandbox, .* whole server/],
      [{ root, mounts: { "/a": { root, headers: () => ({}) } } }, /headers must be data/],
      [{ root, hosts: { "a b": { root } } }, /without a port/],
      [{ root, hosts: { "a.example:80": { root } } }, /without a port/],
      [{ root, hosts: { "": { root } } }, /hosts holds/],
      [{ root, hosts: { "münchen.example": { root } } }, /xn--/],
      [{ root, hosts: { "A.example": { root }, "a.example.": { root } } }, /"a\.example" twice/],
      [{ root, hosts: { "a.example": {} } }, /has no root/],
      [{ mounts: { "/a": root }, hosts: { a: { root } } }, /mounts without root/],
      [{}, /expected the path of a folder/],
    ];
    for (const [options, message] of refused) {
      assert.throws(() => createFileServer(options as FileServerOptions), {
        name: "TypeError",
        message,
      });
    }
    const rates = { root, mounts: { "/a": { root, maxRate: 5 } } };
    assert.throws(() => createFileServer(rates), RangeError);
    const missing = createFileServer({ root, mounts: { "/a": join(root, "none") } });
    return assert.rejects(missing.listen(), { code: "ENOENT" });
  });
});
