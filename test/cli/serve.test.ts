import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { serve, serveCommand } from "../../src/cli/commands/serve.ts";
import { urlsOf } from "../../src/cli/serve/addresses.ts";
import { applyConfig, configOf } from "../../src/cli/serve/config_file.ts";
import { Downloads } from "../../src/cli/serve/downloads.ts";
import { parseHeaders, parseRedirects } from "../../src/cli/serve/host_files.ts";
import { requestLine } from "../../src/cli/serve/lines.ts";
import type { ServeOptions } from "../../src/cli/serve/serve.ts";
import { siteOf } from "../../src/cli/serve/site.ts";
import { Traffic } from "../../src/cli/serve/traffic.ts";
import { fileSize } from "../../src/cli/serve/values.ts";
import type { RequestEvent } from "../../src/http/mod.ts";
import { getsockname, raw } from "../../src/sys/mod.ts";
import { openListener } from "../../src/sys/net/listener.ts";
import { runChild } from "../_kit/child.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { startServer } from "../_kit/server.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const plain = (_: unknown, text: string) => text;

function event(more: Partial<RequestEvent>): RequestEvent {
  return {
    id: 1,
    time: 0,
    client: "127.0.0.1",
    method: "GET",
    target: "/a",
    minor: 1,
    status: 200,
    bytes: 10,
    total: 10,
    durationMs: 1.5,
    transfer: "sendfile",
    referer: "",
    userAgent: "",
    state: "done",
    ...more,
  };
}

/** The command with these options, which does not run. */
function serveFlags(args: string[]) {
  return serveCommand().action(() => {}).parse(args, { from: "user" });
}

/** Command lines that cannot be meant. */
const WRONG = [
  "--port x",
  "--threads 0",
  "a b",
  "--cache often",
  "--log x",
  "--auth a",
  "--upload-max 0",
  "--fallback foo:bar",
  "--fallback http://a:99999",
  "--upload --upload-host ::",
]
  .map((line) => line.split(" "));

/** A site with what static hosts know. */
const SITE = {
  "home.html": "home",
  "about.html": "about",
  "about.html.gz": "zipped",
  ".hidden.txt": "hidden",
  "404.html": "missing",
  "_headers": "# for all\n/*\n  X-Frame-Options: DENY\n",
  "_redirects": "/old/*  /new/:splat  302\n",
};

describe("sluice serve under systemd", () => {
  it("serves on the socket that it gets, and leaves it open for the next one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    writeFileSync(join(folder, "file.txt"), "the file");
    const listener = openListener({ family: "IPv4", address: "127.0.0.1", port: 0 }, 64);
    const { port } = getsockname(listener) as { port: number };
    // LISTEN_PID is the process that the shell becomes.
    const under = ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh"];
    for (let i = 0; i < 2; i++) {
      const server = await startServer(MAIN, ["serve", folder], { under, passed: listener });
      assert.equal(server.port, port);
      assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), "the file");
      server.kill("SIGTERM");
      assert.equal(await server.ended, 143, server.output());
    }
    raw.close(listener);
    rmSync(folder, { recursive: true });
  });
});

describe("sluice serve", () => {
  it("says why a program has not answered", () => {
    const line = requestLine(
      event({ status: 502, error: "its certificate\x1b has expired" }),
      plain,
    );
    assert.match(line, /^502 GET \/a .* its certificate\? has expired$/);
  });

  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-"));
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "file.txt"), "hello");
    writeFileSync(join(folder, "sub", "index.html"), "<h1>sub</h1>");
  });
  after(() => rmSync(folder, { recursive: true }));

  it("serves files and listings, logs requests, and drains on a signal", async () => {
    const server = await startServer(MAIN, ["serve", folder, "--port", "0", "--threads", "2"]);
    try {
      assert.equal((await fetchRaw(server.port, "/file.txt")).body.toString(), "hello");
      assert.match((await fetchRaw(server.port, "/")).body.toString(), /<table>/);
      assert.equal((await fetchRaw(server.port, "/sub/")).body.toString(), "<h1>sub</h1>");
      await server.printed(/200 GET \/file\.txt 5 B memory [\d.]+ ms/);
      await server.printed(/Files leave by sendfile\(2\)/);
      server.kill("SIGTERM");
      assert.equal(await server.ended, 143);
      await server.printed(/Closed after 3 requests/).catch(() => {});
      assert.match(server.output(), /Closed after 3 requests/);
    } finally {
      server.kill("SIGKILL");
    }
  });

  it("takes the next port when nobody asked for one, and says so when somebody did", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await runChild(MAIN, {
      args: ["serve", folder, "--port", String(port)],
      timeoutMs: 20_000,
    });
    other.close();
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`Port ${port} is in use; try --port ${port + 1}`));
  });

  it("prints JSON, or nothing but the address", async () => {
    const json = await startServer(MAIN, ["serve", folder, "--port", "0", "--json", "--cors"]);
    try {
      const { headers } = await fetchRaw(json.port, "/file.txt", { Origin: "http://a" });
      assert.equal(headers.get("access-control-allow-origin"), "*");
      await json.printed(/"event":"request"/);
      json.kill("SIGINT");
      assert.equal(await json.ended, 130);
      // node:ffi says on standard error that it is experimental.
      const lines = json.output().split("\n").filter((line) => line.startsWith("{"));
      const events = lines.map((line) => JSON.parse(line).event);
      assert.deepEqual(events, ["listening", "request", "draining", "closed"]);
    } finally {
      json.kill("SIGKILL");
    }
    const quiet = await startServer(MAIN, ["serve", folder, "--port", "0", "--quiet"]);
    try {
      await fetchRaw(quiet.port, "/file.txt");
      quiet.kill("SIGTERM");
      await quiet.ended;
      assert.match(quiet.output(), /^http:\/\/127\.0\.0\.1:\d+\/\n/m);
      assert.doesNotMatch(quiet.output(), /GET|Closed|Files/);
    } finally {
      quiet.kill("SIGKILL");
    }
  });

  it("routes everything to index.html with --spa", async () => {
    const server = await startServer(MAIN, ["serve", join(folder, "sub"), "--port", "0", "--spa"]);
    try {
      const { body } = await fetchRaw(server.port, "/any/route", { Accept: "text/html" });
      assert.equal(body.toString(), "<h1>sub</h1>");
    } finally {
      server.kill("SIGTERM");
      await server.ended;
    }
  });

  it("serves as the options say, with a log and counters", async () => {
    const site = join(folder, "site");
    mkdirSync(join(site, ".hidden"), { recursive: true });
    for (const [name, text] of Object.entries(SITE)) writeFileSync(join(site, name), text);
    const files = ["--headers", join(site, "_headers"), "--redirects", join(site, "_redirects")];
    const server = await startServer(MAIN, [
      ...["serve", site, "--port", "0", "--cache", "1h", "--precompressed", "--clean-urls"],
      ...["--index", "home.html", "--dotfiles", "--404", "404.html", ...files],
      ...["--log", "combined", "--metrics", "0", "--upload", "--upload-max", "1k"],
      "--archives",
    ]);
    try {
      const get = async (path: string, headers = {}) => {
        const { body, headers: fields, status } = await fetchRaw(server.port, path, headers);
        return { text: `${status} ${body}`, fields };
      };
      const home = await get("/");
      assert.equal(home.text, "200 home");
      assert.equal(home.fields.get("cache-control"), "public, max-age=3600");
      assert.equal(home.fields.get("x-frame-options"), "DENY");
      assert.equal((await get("/about")).text, "200 about");
      assert.equal((await get("/about", { "Accept-Encoding": "gzip" })).text, "200 zipped");
      assert.equal((await get("/.hidden.txt")).text, "200 hidden");
      assert.equal((await get("/none")).text, "404 missing");
      assert.equal((await get("/old/x")).fields.get("location"), "/new/x");
      const put = (length: number) =>
        fetchRaw(server.port, "/up.txt", { "Content-Length": String(length) }, "PUT");
      assert.equal((await put(1025)).status, 413);
      assert.equal((await put(0)).status, 201);
      assert.equal((await get("/up.txt")).text, "200 ");
      assert.match((await get("/.hidden/?download=tar")).text, /^200 \.hidden\//);
      await server.printed(/^127\.0\.0\.1 - - \[.*\] "GET \/old\/x HTTP\/1\.1" 302 /m);
      await server.printed(/Metrics {2}http:\/\/127\.0\.0\.1:\d+\/metrics/);
      const [, url] = /Metrics {2}(\S+)/.exec(server.output())!;
      const text = await (await fetch(url!, { headers: { connection: "close" } })).text();
      assert.match(text, /^sluice_statuses_total\{class="2xx"\} 7$/m);
      assert.match(text, /^sluice_uploads_files_total 1$/m);
      assert.match(text, /^# TYPE sluice_open gauge$/m);
    } finally {
      server.kill("SIGTERM");
      await server.ended;
    }
  });

  it("serves one file, and nothing beside it", async () => {
    const more = ["--auth", "a:b", "--auth", "c:d:e"];
    const file = join(folder, "file.txt");
    const server = await startServer(MAIN, ["serve", file, "--port", "0", ...more]);
    try {
      assert.equal((await fetchRaw(server.port, "/file.txt")).status, 401);
      const headers = { Authorization: `Basic ${btoa("c:d:e")}` };
      const first = await fetchRaw(server.port, "/", headers);
      assert.deepEqual([first.status, first.headers.get("location")], [302, "./file.txt"]);
      assert.equal((await fetchRaw(server.port, "/file.txt", headers)).body.toString(), "hello");
      for (const path of ["/sub/", "/sub/index.html", "/.", "/file.txt/"]) {
        assert.equal((await fetchRaw(server.port, path, headers)).status, 404, path);
      }
    } finally {
      server.kill("SIGTERM");
      await server.ended;
    }
  });

  it("reads options from a file, which the command line overrides", async () => {
    const config = join(folder, "config.json");
    const values = {
      ...{ "cache": "2h", "clean-urls": true, "port": 1, "auth": ["a:b", "c:d"], "host": "::1" },
      ...{ "headers": "rules", "404": "404.html", "tls": false },
    };
    writeFileSync(config, JSON.stringify(values));
    const args = ["serve", "--config", config, "--print-config", "--port", "0"];
    const { code, stdout } = await runChild(MAIN, { args });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      ...{ "port": 0, "host": "::1", "cache": { maxAge: "2h" }, "clean-urls": true },
      ...{ "404": "404.html", "headers": join(folder, "rules"), "auth": ["a:***", "c:***"] },
      "tls": false,
    });
    for (
      const [wrong, message] of [
        [{ prot: 1 }, /"prot" is no option of sluice serve/],
        [{ "print-config": true }, /"print-config" is no option/],
        [{ cors: "yes" }, /config\.json: cors must be true or false/],
        [{ port: "x" }, /config\.json: port is "x": Expected a port/],
        [{ port: null }, /config\.json: port must be text or a number/],
        [[], /expected an object/],
      ] as const
    ) {
      writeFileSync(config, JSON.stringify(wrong));
      await assert.rejects(applyConfig(serve, config), message);
    }
    // A module of the current folder; a file that fails is named.
    const usual = join(folder, "sluice.config.ts");
    writeFileSync(usual, `const hours: number = 3;\nexport default { cache: hours + "h" };\n`);
    const own = await runChild(MAIN, { args: ["serve", "--print-config"], cwd: folder });
    assert.deepEqual(JSON.parse(own.stdout), { cache: { maxAge: "3h" } }, own.stderr);
    writeFileSync(usual, `throw new Error("mine");\n`);
    const failed = await runChild(MAIN, { args: ["serve", "--print-config"], cwd: folder });
    assert.match(failed.stderr, /Cannot read .*sluice\.config\.ts.*mine/s);
    assert.equal(failed.code, 1);
    rmSync(usual);
  });

  it("leaves to a program what is not in the folder", async () => {
    const program = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    }).listen(0, "127.0.0.1");
    await once(program, "listening");
    const { port } = program.address() as AddressInfo;
    const args = ["serve", folder, "--port", "0", "--fallback", `:${port}`];
    const server = await startServer(MAIN, args);
    try {
      assert.equal((await fetchRaw(server.port, "/absent")).body.toString(), "hello");
      assert.equal((await fetchRaw(server.port, "/file.txt")).body.toString(), "hello");
      await server.printed(/200 GET \/absent 5 B relay/);
    } finally {
      server.kill("SIGTERM");
      await server.ended;
      program.close();
    }
  });

  it("refuses what it cannot serve", async () => {
    const failed = await runChild(MAIN, { args: ["serve", "/nowhere"], timeoutMs: 20_000 });
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /^sluice: Cannot serve \/nowhere: there is no such folder; name a folder, or leave it out to serve \//,
    );
    for (const args of WRONG) {
      const { code } = await runChild(MAIN, { args: ["serve", ...args], timeoutMs: 20_000 });
      assert.equal(code, 2, args.join(" "));
    }
  });
});

describe("the options for uploads", () => {
  const flags = (args: string[]) => serveFlags(args).opts<ServeOptions>();

  it("have sizes in powers of 1024, and need each other", () => {
    const sizes = ["1", "1k", "1.5M", "2G", "2GiB", "none"].map(fileSize);
    assert.deepEqual(sizes, [1, 1024, 1.5 * 2 ** 20, 2 ** 31, 2 ** 31, Infinity]);
    for (const text of ["", "0", "-1", "x", "1p", "9999999T"]) assert.throws(() => fileSize(text));
    const { upload } = siteOf(flags(["--upload", "--upload-overwrite"]), "/srv", undefined);
    assert.deepEqual(upload, { maxBytes: undefined, overwrite: true, hosts: undefined });
    const named = flags(["--upload", "--upload-host", "a.lan", "--upload-host", "*.b.lan"]);
    const { upload: more } = siteOf(named, "/srv", undefined);
    assert.deepEqual((more as { hosts?: unknown }).hosts, ["a.lan", "*.b.lan"]);
    assert.throws(() => siteOf(flags(["--upload-host", "a"]), "/srv", undefined), /need --upload/);
    assert.throws(() => siteOf(flags(["--upload-max", "1"]), "/srv", undefined), /need --upload/);
    assert.throws(() => siteOf(flags(["--upload"]), "/srv", "a.txt"), /needs a folder/);
    assert.throws(() => siteOf(flags(["--404", "a"]), "/srv", undefined), /\/srv\/a is none/);
    assert.throws(() => siteOf(flags(["--archives"]), "/srv", "a.txt"), /needs a folder/);
    const turnedOff = /--archives needs the listings of folders, which --\w+ turns off/;
    for (const other of [["--spa"], ["--fallback", "localhost:1"]]) {
      assert.throws(() => siteOf(flags(["--archives", ...other]), "/srv", undefined), turnedOff);
    }
    assert.deepEqual(configOf(serveFlags(["--upload-max", "none"])), { "upload-max": "none" });
  });
});

describe("what sluice serve prints", () => {
  it("is one line for each request, whatever the target is", () => {
    assert.equal(requestLine(event({}), plain), "200 GET /a 10 B sendfile 1.5 ms");
    const put = event({ method: "PUT", received: 2048, status: 201, transfer: "memory" });
    assert.equal(requestLine(put, plain), "201 PUT /a 2.00 KiB received, 10 B memory 1.5 ms");
    assert.equal(
      requestLine(event({ state: "aborted", bytes: 5, target: "/\x1b[2J" }), plain),
      "200 GET /?[2J 5 B of 10 B, aborted sendfile 1.5 ms",
    );
  });

  it("shows downloads with rate and progress, in lines that fit", () => {
    const downloads = new Downloads();
    const large = { total: 100 * 2 ** 20, state: "running" as const };
    downloads.update(event({ ...large, bytes: 0, durationMs: 0 }));
    downloads.update(event({ ...large, bytes: 50 * 2 ** 20, durationMs: 1000 }));
    downloads.update(event({ ...large, id: 2, bytes: 2 ** 20, target: "/b".repeat(100) }));
    const lines = downloads.lines(80, 10, performance.now(), plain);
    assert.equal(lines.length, 3);
    assert.match(lines[0]!, /^█{8}░{8} {2}50 % +15\.0 MiB\/s +4 s {2}\/a → 127\.0\.0\.1$/);
    assert.ok(lines.every((line) => line.length < 80));
    assert.match(lines[2]!, /^2 downloads, /);
    assert.equal(downloads.lines(80, 2, performance.now(), plain).length, 2);
    downloads.update(event({ bytes: 100 }));
    assert.equal(downloads.lines(80, 10, performance.now(), plain).length, 2);
  });

  it("counts in one line what has no line of its own", () => {
    let stats = { bytes: 0, open: 1, requests: 0 };
    const traffic = new Traffic(() => stats);
    assert.deepEqual(traffic.lines(80, 0, plain), []);
    stats = { bytes: 1024, open: 2, requests: 1 };
    traffic.shown = 1;
    assert.deepEqual(traffic.lines(80, 0, plain), ["1 request, 0/s, 0 B/s, 2 connections"]);
    stats = { bytes: 3 * 1024, open: 2, requests: 5001 };
    const text = "5001 requests, 2500/s, 1.00 KiB/s, 2 connections, 5000 without a line";
    assert.deepEqual(traffic.lines(80, 2000, plain), [text]);
    assert.deepEqual(traffic.lines(21, 4000, plain), ["5001 requests, 0/s, "]);
  });

  it("reads the files of static hosts, and says where they are wrong", () => {
    const headers = "/a/*\n  X-A: 1\n  x-a: 2\n\n# none\n/b\n\tLink: </c>; rel=preload\r\n";
    assert.deepEqual(parseHeaders(headers, "_headers"), [
      { path: "/a/*", headers: { "X-A": "1, 2" } },
      { path: "/b", headers: { "Link": "</c>; rel=preload" } },
    ]);
    assert.throws(() => parseHeaders("/a\n  X-A", "_headers"), /^Error: _headers:2: expected/);
    assert.throws(() => parseHeaders("  X-A: 1", "_headers"), /^Error: _headers:1: expected/);
    assert.deepEqual(parseRedirects("/a /b\n/c/*  /d/:splat 200!\n", "_redirects"), [
      { from: "/a", to: "/b", status: 301, force: false },
      { from: "/c/*", to: "/d/:splat", status: 200, force: true },
    ]);
    for (const line of ["/a", "/a /b x", "/a /b 301 Country=de"]) {
      assert.throws(() => parseRedirects(`\n${line}`, "_redirects"), /^Error: _redirects:2: /);
    }
  });

  it("names addresses that can be opened", () => {
    assert.deepEqual(urlsOf("127.0.0.1", 80), { local: "http://127.0.0.1:80/", network: [] });
    assert.equal(urlsOf("::1", 80).local, "http://[::1]:80/");
    assert.deepEqual(urlsOf("10.0.0.1", 80).network, ["http://10.0.0.1:80/"]);
    assert.equal(urlsOf("0.0.0.0", 80).local, "http://localhost:80/");
  });
});
