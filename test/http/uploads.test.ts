import assert from "node:assert/strict";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createFileServer, type RequestEvent } from "../../src/http/mod.ts";
import { landlockVersion } from "../../src/sys/raw/inspection.ts";
import { available } from "../../src/sys/libc.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { fetchRaw, type RawResponse, requestText, responses, talk } from "../_kit/raw_http.ts";
import { chunked } from "./_chunked.ts";
import { secureTalk } from "./server/_tls.ts";
import { makeSite, patterned, serveSite } from "./server/_site.ts";

const NO_CALLS = available() ? false : "needs foreign calls";
const NO_LANDLOCK = NO_CALLS || (landlockVersion() > 0 ? false : "needs Landlock");

type Fields = Record<string, string>;

const putText = (target: string, body: string, headers: Fields = {}) =>
  requestText(target, { "Content-Length": String(body.length), ...headers }, "PUT") + body;

async function put(
  port: number,
  target: string,
  body: string,
  headers: Fields = {},
): Promise<RawResponse> {
  const text = putText(target, body, { Connection: "close", ...headers });
  return responses(await talk(port, text), ["PUT"])[0]!;
}

const binary = (length: number, seed: number) =>
  Buffer.from(patterned(length, seed)).toString("latin1");

/** Waits until a condition holds; what is waited for is an event of the server's threads. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(what);
}

describe("uploads", () => {
  const events: RequestEvent[] = [];
  const site = serveSite({
    upload: { maxBytes: 3_000_000 },
    listing: true,
    onRequest: (event) => void events.push(event),
  });
  const has = (name: string) => readFileSync(join(site.root, name), "latin1");
  const hidden = (folder = "") =>
    readdirSync(join(site.root, folder)).filter((name) => name.startsWith(".sluice"));

  it("are stored, and told", async () => {
    const body = binary(2_345_678, 1);
    const { headers, status } = await put(site.port, "/dir/new%20%C3%BC.bin", body);
    assert.deepEqual([status, headers.get("location")], [201, "/dir/new%20%C3%BC.bin"]);
    assert.equal(has("dir/new ü.bin"), body);
    const back = await site.get("/dir/new%20%C3%BC.bin");
    assert.equal(back.body.toString("latin1"), body);
    assert.deepEqual(site.server.stats().uploads, { files: 1, bytes: body.length });
    await until(() => events.some(({ method }) => method === "PUT"), "no event");
    const event = events.find(({ method }) => method === "PUT")!;
    assert.deepEqual([event.received, event.status, event.state], [body.length, 201, "done"]);
    assert.equal(
      lstatSync(join(site.root, "dir/new ü.bin")).mode & 0o777,
      0o666 & ~process.umask(),
    );
  });

  it("are among the methods that Allow names, where there are any", async () => {
    const methods = ["OPTIONS", "DELETE"] as const;
    const texts = methods.map((method) =>
      requestText("/file.txt", { Connection: "close" }, method)
    );
    const allowed = async (port: number) => {
      const answers = await Promise.all(texts.map((text) => talk(port, text)));
      return answers.map((bytes, i) => {
        const [{ headers, status }] = responses(bytes, [methods[i]!]) as [RawResponse];
        return `${status} ${headers.get("allow")}`;
      });
    };
    assert.deepEqual(await allowed(site.port), [
      "204 GET, HEAD, PUT, OPTIONS",
      "405 GET, HEAD, PUT, OPTIONS",
    ]);
    const other = createFileServer({
      root: site.root,
      mounts: { "/in": { root: site.root, upload: true } },
    });
    const { port } = await other.listen();
    assert.deepEqual(await allowed(port), ["204 GET, HEAD, OPTIONS", "405 GET, HEAD, OPTIONS"]);
    const inside = await talk(port, requestText("/in/none", { Connection: "close" }, "OPTIONS"));
    assert.match(inside.toString(), /^Allow: GET, HEAD, PUT, OPTIONS\r$/m);
    await other.close({ graceMs: 0 });
  });

  it("may be empty, or in chunks", async () => {
    assert.equal((await put(site.port, "/empty.new", "")).status, 201);
    assert.equal(has("empty.new"), "");
    const body = binary(2_900_000, 2);
    const text = requestText("/chunks", {
      "Transfer-Encoding": "chunked",
      Connection: "close",
    }, "PUT");
    const [response] = responses(await talk(site.port, text + chunked(body)), ["PUT"]);
    assert.equal(response!.status, 201);
    assert.equal(has("chunks"), body);
  });

  it("keep the connection for further requests", async () => {
    const bodies = [binary(100_000, 3), binary(40, 4), binary(200_000, 5)] as const;
    const text = putText("/one", bodies[0]) + requestText("/one", {}, "HEAD") +
      requestText("/two", { "Transfer-Encoding": "chunked" }, "PUT") + chunked(bodies[1]) +
      putText("/one", "taken") + putText("/three", bodies[2]) +
      requestText("/three", { Connection: "close" }, "HEAD");
    const answers = await site.exchange(text, ["PUT", "HEAD", "PUT", "PUT", "PUT", "HEAD"]);
    assert.deepEqual(answers.map(({ status }) => status), [201, 200, 201, 409, 201, 200]);
    assert.equal(answers[5]!.headers.get("content-length"), "200000");
    assert.deepEqual([has("one"), has("two"), has("three")], [...bodies]);
  });

  it("replace nothing, neither files nor folders nor links", async () => {
    symlinkSync("../outside.txt", join(site.root, "out"));
    symlinkSync("nowhere", join(site.root, "dangling"));
    for (const name of ["file.txt", "dir", "out", "dangling"]) {
      const { body, status } = await put(site.port, `/${name}`, "x");
      assert.equal(status, 409, name);
      assert.match(body.toString(), /^409 Conflict: a (?:file|folder) of this name exists\n$/);
    }
    assert.equal(existsSync(join(site.root, "nowhere")), false);
    const fresh = await put(site.port, "/file.txt", "x", { "If-None-Match": "*" });
    assert.equal(fresh.status, 412);
    assert.equal((await put(site.port, "/none", "x", { "If-Match": "*" })).status, 412);
    for (const name of ["If-Match", "If-None-Match"]) {
      assert.equal((await put(site.port, "/none", "x", { [name]: '"a"' })).status, 412);
    }
    assert.equal((await put(site.port, "/fresh", "x", { "If-None-Match": "*" })).status, 201);
  });

  it("go below the folder only, to names that are no dotfiles", async () => {
    const refused: Record<string, readonly number[]> = {
      "/../x": [404, 400],
      "/..%2fx": [404],
      "/%2e%2e/x": [404, 400],
      "/a%00b": [400],
      "/.hidden.new": [403],
      "/dir/.x": [403],
      "/.well-known/x": [403],
      "/dir/": [400],
      "/": [400],
      "/none/x": [404],
      "/file.txt/x": [404],
      "/linked/x": [404],
      "/etc/x": [404],
      [`/${"n".repeat(256)}`]: [400],
    };
    for (const [target, statuses] of Object.entries(refused)) {
      const { status } = await put(site.port, target, "x");
      assert.ok(statuses.includes(status), `${target}: ${status}`);
    }
    assert.deepEqual(readdirSync(join(site.root, "../outside")), ["x"]);
    const more: Fields[] = [{ "Content-Range": "bytes 0-0/2" }, { "Content-Encoding": "gzip" }];
    const answers = await Promise.all(more.map((fields) => put(site.port, "/part", "x", fields)));
    assert.deepEqual(answers.map(({ status }) => status), [400, 415]);
  });

  it("come from no page of another site", async () => {
    const own = `localhost:${site.port}`;
    const sent: [Fields, number][] = [
      [{ "Sec-Fetch-Site": "cross-site" }, 403],
      [{ "Sec-Fetch-Site": "same-site" }, 403],
      [{ "Origin": "null" }, 403],
      [{ "Origin": "https://evil.example" }, 403],
      [{ "Origin": `http://${own}1`, "Host": own }, 403],
      [{ "Origin": `http://${own}`, "Host": own, "Sec-Fetch-Site": "same-origin" }, 201],
      [{ "Sec-Fetch-Site": "none" }, 201],
    ];
    for (const [index, [fields, status]] of sent.entries()) {
      const answer = await put(site.port, `/site${index}`, "x", fields);
      assert.equal(answer.status, status, JSON.stringify(fields));
      assert.equal(existsSync(join(site.root, `site${index}`)), status === 201);
    }
  });

  it("come from no page by a name that anybody may own, unless it is allowed", async () => {
    const own = hostname().toLowerCase();
    const page = (host: string, scheme = "http") => ({ Host: host, Origin: `${scheme}://${host}` });
    const status = async (port: number, fields: Fields) =>
      (await put(port, "/file.txt", "x", fields)).status;
    // 409 is that of an upload which is allowed: the file exists.
    const sent: [Fields, number][] = [
      [page("evil.example"), 403],
      [page("evil.example:80"), 403],
      [page("127.0.0.1.evil.example"), 403],
      [page("localhost.evil.example"), 403],
      [page(`${own}.evil.example`), 403],
      [page("files.example.com"), 403],
      [{ Host: "evil.example" }, 409],
      [page("evil.example", "https"), 409],
      [page(`127.0.0.1:${site.port}`), 409],
      [page("192.168.7.1"), 409],
      [page("[::1]:8080"), 409],
      [page("LOCALHOST:1"), 409],
      [page("app.localhost."), 409],
      [page(own), 409],
      [page(`${own.split(".")[0]}.local`), 409],
    ];
    for (const [fields, expected] of sent) {
      assert.equal(await status(site.port, fields), expected, JSON.stringify(fields));
    }
    const answer = await put(site.port, "/file.txt", "x", page("evil.example"));
    assert.match(answer.body.toString(), /unless upload\.hosts has the name/);
    const { root } = site;
    const other = createFileServer({
      root,
      upload: { hosts: ["Files.example.com", "*.example.org"] },
      mounts: { "/all": { root, upload: { hosts: "*" } } },
      hosts: { "named.example": { root, upload: true } },
    });
    const { port } = await other.listen();
    assert.equal(await status(port, page("files.example.com:81")), 409);
    assert.equal(await status(port, page("a.b.example.org")), 409);
    assert.equal(await status(port, page("example.org")), 403);
    assert.equal(await status(port, page("evilexample.org")), 403);
    assert.equal(await status(port, page("named.example")), 409);
    assert.equal((await put(port, "/all/file.txt", "x", page("evil.example"))).status, 409);
    await other.close({ graceMs: 0 });
    for (const hosts of [1, {}, [1], ["a:1"], ["http://a"], [""], ["*x"]]) {
      const make = () => createFileServer({ root, upload: { hosts: hosts as never } });
      assert.throws(make, /upload\.hosts/, JSON.stringify(hosts));
    }
  });

  it("are refused before the body if that is too long", async () => {
    const text = requestText("/long", { "Content-Length": "3000001", Connection: "close" }, "PUT");
    const socket = connect(site.port, "127.0.0.1");
    socket.write(text);
    const [first] = await once(socket, "data") as [Buffer];
    socket.destroy();
    assert.match(first.toString("latin1"), /^HTTP\/1\.1 413 /);
  });

  it("leave nothing if chunks add up to too much", async () => {
    const text = requestText("/much", { "Transfer-Encoding": "chunked" }, "PUT");
    const body = binary(3_000_001, 6);
    const socket = connect(site.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(text + chunked(body), "latin1");
    const [first] = await once(socket, "data") as [Buffer];
    socket.destroy();
    assert.match(first.toString("latin1"), /^HTTP\/1\.1 413 /);
    await until(() => hidden().length === 0, "a hidden file is left");
    assert.equal(existsSync(join(site.root, "much")), false);
  });

  it("are told to begin if the client asks", async () => {
    const socket = connect(site.port, "127.0.0.1");
    const headers = { "Content-Length": "4", "Expect": "100-continue", Connection: "close" };
    socket.write(requestText("/asked", headers, "PUT"));
    const [first] = await once(socket, "data") as [Buffer];
    assert.equal(first.toString(), "HTTP/1.1 100 Continue\r\n\r\n");
    const rest = collect(socket);
    socket.write("body");
    assert.match(await rest, /^HTTP\/1\.1 201 Created\r\n/);
    assert.equal(has("asked"), "body");
  });

  it("leave nothing if the client leaves or sends nonsense", async () => {
    const { aborted: before, uploads: { bytes } } = site.server.stats();
    const sockets = Array.from({ length: 8 }, (_, i) => {
      const socket = connect(site.port, "127.0.0.1");
      const length = { "Content-Length": "2000000" };
      socket.on("error", () => {});
      socket.write(requestText(`/half${i}`, length, "PUT") + "x".repeat(1 + i * 20_000));
      return socket;
    });
    const all = bytes + 8 + 28 * 20_000;
    await until(() => site.server.stats().uploads.bytes === all, "not everything arrives");
    for (const socket of sockets) socket.destroy();
    await until(() => site.server.stats().aborted >= before + 8, "not all are aborted");
    await until(() => hidden().length === 0, "a hidden file is left");
    assert.deepEqual(readdirSync(site.root).filter((name) => name.startsWith("half")), []);
    const bad = requestText("/bad", { "Transfer-Encoding": "chunked" }, "PUT") +
      "5\r\nhello\r\nzz\r\n";
    assert.match((await talk(site.port, bad)).toString("latin1"), /^HTTP\/1\.1 400 /);
    assert.equal(existsSync(join(site.root, "bad")), false);
  });

  it("of one name at the same time give one file", async () => {
    const bodies = Array.from({ length: 6 }, (_, i) => binary(300_000, 10 + i));
    const answers = await Promise.all(bodies.map((body) => put(site.port, "/race", body)));
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [201, 409, 409, 409, 409, 409]);
    assert.ok(bodies.includes(has("race")));
    await until(() => hidden().length === 0, "a hidden file is left");
  });

  it("are seen in the listing", async () => {
    await put(site.port, "/plain/listed.txt", "x");
    assert.match((await site.get("/plain/")).body.toString(), /listed\.txt/);
  });
});

/** Everything until the end. */
async function collect(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (piece: Buffer) => text += piece.toString("latin1"));
  await once(socket, "close");
  return text;
}

describe("uploads that may replace files", () => {
  const site = serveSite({
    upload: { overwrite: true, maxBytes: Infinity },
    auth: { users: { a: "b" } },
  });
  const user = { Authorization: `Basic ${btoa("a:b")}` };

  it("replace the file or the link, not what the link leads to", async () => {
    mkdirSync(join(site.root, "folder"));
    symlinkSync("../outside.txt", join(site.root, "out"));
    assert.equal((await put(site.port, "/file.txt", "new", user)).status, 200);
    assert.equal((await site.get("/file.txt", user)).body.toString(), "new");
    assert.equal((await put(site.port, "/out", "new", user)).status, 200);
    assert.throws(() => readlinkSync(join(site.root, "out")));
    assert.notEqual(readFileSync(join(site.root, "../outside.txt"), "utf8"), "new");
    assert.equal((await put(site.port, "/folder", "new", user)).status, 409);
    const fresh = await put(site.port, "/file.txt", "x", { ...user, "If-None-Match": "*" });
    assert.equal(fresh.status, 412);
    assert.equal(
      (await put(site.port, "/file.txt", "y", { ...user, "If-Match": "*" })).status,
      200,
    );
  });

  it("need the password", async () => {
    assert.equal((await put(site.port, "/file.txt", "x")).status, 401);
    assert.equal((await put(site.port, "/other.txt", "x")).status, 401);
    assert.equal(readFileSync(join(site.root, "file.txt"), "utf8"), "y");
    assert.equal(existsSync(join(site.root, "other.txt")), false);
  });

  it("that no disk has room for get 507 at once", async () => {
    const headers = { ...user, "Content-Length": "900000000000000", Connection: "close" };
    const socket = connect(site.port, "127.0.0.1");
    socket.write(requestText("/huge", headers, "PUT"));
    const [first] = await once(socket, "data") as [Buffer];
    socket.destroy();
    assert.match(first.toString("latin1"), /^HTTP\/1\.1 507 /);
    assert.equal(existsSync(join(site.root, "huge")), false);
  });
});

describe("uploads over TLS", () => {
  const site = serveSite({ upload: true, tls: { cert: CERTIFICATE, key: KEY } });

  it("are stored as they were before encryption", async () => {
    const body = binary(1_500_000, 7);
    const text = putText("/a", body) +
      requestText("/b", { "Transfer-Encoding": "chunked" }, "PUT") + chunked(body) +
      putText("/c", "", { Connection: "close" });
    const bytes = Buffer.from(text, "latin1");
    const answers = responses(await secureTalk(site.port, bytes as never), ["PUT", "PUT", "PUT"]);
    assert.deepEqual(answers.map(({ status }) => status), [201, 201, 201]);
    for (const name of ["a", "b"]) {
      assert.equal(readFileSync(join(site.root, name), "latin1"), body, name);
    }
  });
});

describe("uploads of a server with threads", () => {
  it("end with it, and leave no file and no descriptor", { skip: NO_CALLS }, async () => {
    const { openDescriptors } = await import("../_kit/descriptors.ts");
    const site = makeSite();
    const cut = async () => {
      const server = createFileServer({ root: site.root, upload: true, threads: 2 });
      const { port } = await server.listen();
      const sockets = Array.from({ length: 4 }, (_, i) => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        socket.write(requestText(`/cut${i}`, { "Content-Length": "100000000" }, "PUT"));
        socket.write(new Uint8Array(300_000));
        return socket;
      });
      await until(() => server.stats().uploads.bytes === 1_200_000, "not everything arrives");
      await server.close({ graceMs: 0 });
      for (const socket of sockets) socket.destroy();
      assert.deepEqual(readdirSync(site.root).filter((name) => /cut|sluice/.test(name)), []);
    };
    // Runtimes keep some descriptors of their first threads.
    await cut();
    const before = openDescriptors();
    await cut();
    await until(() => openDescriptors() <= before, "descriptors are open");
    site.remove();
  });

  it("get 408 if they stop", { skip: NO_CALLS }, async () => {
    const site = makeSite();
    const server = createFileServer({ root: site.root, upload: true, limits: { sendMs: 200 } });
    const { port } = await server.listen();
    const text = requestText("/slow", { "Content-Length": "10" }, "PUT");
    assert.match((await talk(port, `${text}12345`)).toString("latin1"), /^HTTP\/1\.1 408 /);
    assert.equal(existsSync(join(site.root, "slow")), false);
    assert.equal(server.stats().timeouts, 1);
    await server.close();
    site.remove();
  });

  it("work in the sandbox", { skip: NO_LANDLOCK }, async () => {
    const site = makeSite();
    const upload = { overwrite: true };
    const server = createFileServer({ root: site.root, upload, sandbox: true });
    const { port } = await server.listen();
    assert.equal((await put(port, "/dir/a", "1")).status, 201);
    assert.equal((await put(port, "/dir/a", "22")).status, 200);
    assert.equal((await put(port, "/linked/a", "1")).status, 404);
    assert.equal((await fetchRaw(port, "/dir/a")).body.toString(), "22");
    await server.close();
    site.remove();
  });

  it("pass to the fallback what is its own", async () => {
    const { createServer } = await import("node:http");
    const site = makeSite();
    const program = createServer((req, res) => {
      req.resume().on("end", () => res.end(`${req.method} ${req.url}`));
    }).listen(0, "127.0.0.1");
    await once(program, "listening");
    const to = `127.0.0.1:${(program.address() as { port: number }).port}`;
    const fallback = { to, paths: ["/api/"] };
    const server = createFileServer({ root: site.root, upload: true, fallback });
    const { port } = await server.listen();
    assert.equal((await put(port, "/api/x", "1")).body.toString(), "PUT /api/x");
    assert.equal((await put(port, "/x", "1")).status, 201);
    assert.equal((await put(port, "/x", "1")).status, 409);
    assert.equal((await fetchRaw(port, "/x", {}, "DELETE")).body.toString(), "DELETE /x");
    await server.close({ graceMs: 0 });
    program.closeAllConnections();
    program.close();
    site.remove();
  });
});

describe("uploads of a server with several folders", () => {
  it("go to the folder of the request, if that takes files", async () => {
    const site = makeSite();
    const media = join(site.parent, "outside");
    const mounts = { "/a media": { root: media, upload: true }, "/docs": media };
    const host = { root: join(site.root, "plain"), upload: true };
    const server = createFileServer({ root: site.root, mounts, hosts: { "b.example": host } });
    const { port } = await server.listen();
    const stored = await put(port, "/a%20media/new", "1");
    assert.deepEqual([stored.status, stored.headers.get("location")], [201, "/a%20media/new"]);
    assert.equal(readFileSync(join(media, "new"), "utf8"), "1");
    for (const target of ["/docs/other", "/other", "/a%20media", "/dir/a"]) {
      const { status } = await put(port, target, "1");
      assert.ok(status === 405 || status === 400, `${target}: ${status}`);
    }
    assert.equal((await put(port, "/other", "1", { Host: "b.example" })).status, 201);
    assert.ok(existsSync(join(host.root, "other")));
    await server.close();
    site.remove();
  });
});

describe("the option upload", () => {
  it("is checked", () => {
    const make = (upload: unknown) => () =>
      createFileServer({ root: ".", upload: upload as never });
    assert.throws(make({ maxBytes: 0 }), RangeError);
    assert.throws(make({ maxBytes: 1.5 }), /upload\.maxBytes is 1\.5, but must be an integer >= 1/);
    assert.throws(make({ maxBytes: "1" }), TypeError);
    assert.throws(make({ overwrite: 1 }), /upload\.overwrite must be true or false/);
    assert.throws(make(1), TypeError);
    assert.doesNotThrow(make({ maxBytes: Infinity }));
  });
});
