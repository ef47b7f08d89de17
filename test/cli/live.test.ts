import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Changes } from "../../src/cli/serve/live/changes.ts";
import { ignores } from "../../src/cli/serve/live/live.ts";
import { FolderWatcher } from "../../src/cli/serve/live/watcher.ts";
import { NO_BROWSER, openPage, until } from "../_kit/browser.ts";
import { runChild } from "../_kit/child.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { type RunningServer, startServer } from "../_kit/server.ts";
import { secureClient } from "../http/server/_tls.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const TAG = '<script src="/-/live.js"></script>';

function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "sluice-"));
}

/** Values that arrive one after the other. */
class Arrivals<T> {
  readonly seen: T[] = [];
  #wake = () => {};

  add(value: T): void {
    this.seen.push(value);
    this.#wake();
  }

  /** Resolves with the first value from now on that matches; forgets those before it. */
  async next(matches: (value: T) => boolean): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    // A watcher alone does not keep the process.
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("nothing has arrived for 60 s")), 60_000);
    });
    try {
      for (;;) {
        while (this.seen.length > 0) {
          const value = this.seen.shift()!;
          if (matches(value)) return value;
        }
        await Promise.race([new Promise<void>((resolve) => this.#wake = resolve), late]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

describe("FolderWatcher", () => {
  it("reports what changes, also in new folders and in a root that is made again", async () => {
    const parent = makeFolder();
    const root = join(parent, "dist");
    mkdirSync(join(root, "sub", "deep"), { recursive: true });
    for (const name of ["node_modules", ".git"]) mkdirSync(join(root, name));
    writeFileSync(join(root, "a.txt"), "1");
    const paths = new Arrivals<string>();
    const watcher = new FolderWatcher(root, {
      ignores: (name) => ignores(name, false),
      changed: (path) => paths.add(path),
      limited: (reason) => assert.fail(reason),
    });
    await watcher.ready;
    assert.equal(watcher.folders, 3);
    const changes: [string, () => void][] = [
      ["a.txt", () => writeFileSync(join(root, "a.txt"), "2")],
      ["sub/deep/b", () => writeFileSync(join(root, "sub", "deep", "b"), "1")],
      ["sub/deep/b", () => rmSync(join(root, "sub", "deep", "b"))],
      ["new", () => mkdirSync(join(root, "new"))],
      ["new/c", () => writeFileSync(join(root, "new", "c"), "1")],
      ["a.txt", () => {
        writeFileSync(join(root, "saved~"), "3");
        renameSync(join(root, "saved~"), join(root, "a.txt"));
      }],
      ["moved", () => renameSync(join(root, "new"), join(root, "moved"))],
      ["moved/d", () => writeFileSync(join(root, "moved", "d"), "1")],
    ];
    for (const [path, change] of changes) {
      change();
      await paths.next((found) => found === path);
    }
    // What is ignored, or only read, is not reported before what follows it.
    readFileSync(join(root, "a.txt"));
    readdirSync(join(root, "sub"));
    for (const name of ["node_modules/x", ".git/x", ".hidden", "backup~"]) {
      writeFileSync(join(root, name), "x");
    }
    paths.seen.length = 0;
    writeFileSync(join(root, "last"), "x");
    // Deno may name a file of the folder that was moved without its folder.
    assert.equal(await paths.next((path) => !/^(?:moved|new|d$)/.test(path)), "last");
    rmSync(root, { recursive: true });
    mkdirSync(root);
    await paths.next((path) => path === "");
    await watcher.ready;
    writeFileSync(join(root, "again"), "1");
    await paths.next((path) => path === "again");
    watcher.close();
    assert.equal(watcher.folders, 0);
    rmSync(parent, { recursive: true });
  });

  it("says once what it does not watch, and goes on", async () => {
    const root = makeFolder();
    for (const name of ["a", "b", "c"]) mkdirSync(join(root, name));
    const reasons: string[] = [];
    const paths = new Arrivals<string>();
    const watcher = new FolderWatcher(root, {
      ignores: () => false,
      changed: (path) => paths.add(path),
      limited: (reason) => reasons.push(reason),
      most: 2,
    });
    await watcher.ready;
    assert.deepEqual(reasons, ["2 folders are watched, which is the limit"]);
    writeFileSync(join(root, "file"), "x");
    await paths.next((path) => path === "file");
    watcher.close();
    rmSync(root, { recursive: true });
  });
});

describe("Changes", () => {
  it("joins what happens together, and knows what a page has missed", async () => {
    const reports = new Arrivals<{ id: string; css: readonly string[] | null }>();
    let cleared = 0;
    const changes = new Changes({
      before: () => Promise.resolve(cleared++),
      report: (change) => reports.add(change),
    });
    const first = changes.id;
    assert.equal(changes.since(first), undefined);
    assert.equal(changes.sinceAge(1e9), undefined);
    for (const path of ["a.css", "sub/b.CSS", "a.css"]) changes.note(path);
    const css = await reports.next(() => true);
    assert.deepEqual(css.css, ["/a.css", "/sub/b.CSS"]);
    assert.equal(cleared, 1);
    assert.deepEqual(changes.since(first), css);
    assert.deepEqual(changes.sinceAge(1e9), css);
    assert.equal(changes.sinceAge(-1), undefined);
    assert.equal(changes.since(css.id), undefined);
    changes.note("c.css");
    changes.note("page.html");
    const page = await reports.next(() => true);
    assert.equal(page.css, null);
    assert.deepEqual(changes.since(first), page);
    assert.deepEqual(changes.since("other-1"), page);
    for (const id of ["", "x", `${first.split("-")[0]}-99`]) changes.since(id);
    changes.close();
  });
});

/** Reads a stream of events; `close` leaves it. */
async function eventsOf(port: number, query = ""): Promise<{
  next(): Promise<{ id: string; css?: string[] | null }>;
  close(): void;
}> {
  const abort = new AbortController();
  const url = `http://127.0.0.1:${port}/-/live${query}`;
  const response = await fetch(url, { signal: abort.signal });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async next() {
      for (;;) {
        const [, event, rest] = /^([^]*?)\n\n([^]*)$/.exec(text) ?? [];
        if (event === undefined) {
          const { done, value } = await reader.read();
          if (done) throw new Error("the stream has ended");
          text += value;
          continue;
        }
        text = rest!;
        const [, id, data] = /^id: (\S+)\ndata: (.*)$/.exec(event) ?? [];
        if (id !== undefined) return { id, ...JSON.parse(data!) };
      }
    },
    close: () => abort.abort(),
  };
}

describe("sluice serve --live", () => {
  let root = "";
  let temp = "";
  let server: RunningServer;
  before(async () => {
    root = makeFolder();
    temp = makeFolder();
    mkdirSync(join(root, "sub"));
    writeFileSync(join(root, "index.html"), '<link rel="stylesheet" href="a.css"><p>one');
    writeFileSync(join(root, "a.css"), "p { color: red }");
    writeFileSync(join(root, "data.json"), "{}");
    const args = ["serve", root, "--port", "0", "--live", "--cache", "1h"];
    server = await startServer(MAIN, args, { env: { TMPDIR: temp } });
  });
  after(() => {
    server?.kill("SIGKILL");
    for (const folder of [root, temp]) rmSync(folder, { recursive: true, force: true });
  });

  it("adds its script to pages only, and tells each one once what has changed", async () => {
    const { port } = server;
    const page = await fetchRaw(port, "/");
    assert.ok(page.body.toString().endsWith(`<p>one${TAG}`));
    assert.equal((await fetchRaw(port, "/data.json")).body.toString(), "{}");
    assert.match((await fetchRaw(port, "/sub/")).body.toString(), /<\/html>\n<script src="\/-/);
    const script = await fetchRaw(port, "/-/live.js");
    assert.match(script.headers.get("content-type")!, /^text\/javascript/);
    const streams = await Promise.all([eventsOf(port), eventsOf(port), eventsOf(port)]);
    const firsts = await Promise.all(streams.map((stream) => stream.next()));
    for (const { css, id } of firsts) {
      assert.equal(css, undefined);
      assert.equal(id, firsts[0]!.id);
    }
    // One client leaves without a word.
    streams[2]!.close();
    const both = streams.slice(0, 2);
    for (let round = 0; round < 3; round++) {
      writeFileSync(join(root, "a.css"), `p { color: rgb(${round} 0 0) }`);
      for (const event of await Promise.all(both.map((stream) => stream.next()))) {
        assert.deepEqual(event.css, ["/a.css"]);
      }
      assert.match((await fetchRaw(port, "/a.css")).body.toString(), new RegExp(`rgb\\(${round}`));
      writeFileSync(join(root, "next~"), `<p>${round}`);
      renameSync(join(root, "next~"), join(root, "index.html"));
      for (const event of await Promise.all(both.map((stream) => stream.next()))) {
        assert.equal(event.css, null);
      }
      assert.equal((await fetchRaw(port, "/")).body.toString(), `<p>${round}${TAG}`);
    }
    // Who was away learns of it: by the last event, or by the time since the request.
    const since = `?since=${firsts[0]!.id}`;
    for (const query of [since, "?age=1000000", "?since=another-0"]) {
      const late = await eventsOf(port, query);
      assert.equal((await late.next()).css, null, query);
      late.close();
    }
    for (const query of ["?age=0", "?age=x", "?since="]) {
      const late = await eventsOf(port, query);
      assert.equal((await late.next()).css, undefined, query);
      late.close();
    }
    for (const stream of both) stream.close();
    assert.equal((await fetchRaw(port, "/-/lively")).status, 404);
  });

  it("reloads pages, and replaces style sheets in place", { skip: NO_BROWSER }, async () => {
    const body = '<link rel="stylesheet" href="a.css"><p>first';
    writeFileSync(join(root, "page.html"), body);
    const { faults, page } = await openPage();
    await page.goto(`http://127.0.0.1:${server.port}/page.html`);
    const colour = "getComputedStyle(document.querySelector('p')).color";
    await page.evaluate("window.stays = true");
    writeFileSync(join(root, "a.css"), "p { color: rgb(1, 2, 3) }");
    await until(page, `${colour} === 'rgb(1, 2, 3)'`);
    assert.equal(await page.evaluate("window.stays"), true);
    assert.equal(await page.evaluate("document.querySelectorAll('link').length"), 1);
    writeFileSync(join(root, "page.html"), body.replace("first", "second"));
    await until(page, "document.querySelector('p').textContent === 'second'");
    assert.equal(await page.evaluate("window.stays"), undefined);
    // The page of an error waits for its file.
    await page.goto(`http://127.0.0.1:${server.port}/later.html`);
    assert.equal(await page.locator("h1").innerText(), "Page not found");
    writeFileSync(join(root, "later.html"), "<p>here");
    await until(page, "document.querySelector('p').textContent === 'here'");
    assert.deepEqual(faults, []);
    await page.close();
  });

  it("ends with open streams at once, and leaves nothing", async () => {
    const stream = await eventsOf(server.port);
    await stream.next();
    assert.ok(readdirSync(temp).some((name) => existsSync(join(temp, name, "live"))));
    server.kill("SIGTERM");
    assert.equal(await server.ended, 143, server.output());
    await assert.rejects(stream.next());
    assert.deepEqual(readdirSync(temp).filter((name) => name.startsWith("sluice-")), []);
    assert.doesNotMatch(server.output(), /GET \/-\/live/);
  });

  it("works over HTTPS, and watches the folders of mounts", async () => {
    const [site, media, data] = [makeFolder(), makeFolder(), makeFolder()];
    writeFileSync(join(media, "page.html"), "<p>one");
    const args = ["serve", site, "--port", "0", "--live", "--tls", "--mount", `/media=${media}`];
    const secure = await startServer(MAIN, args, { env: { TMPDIR: temp, XDG_DATA_HOME: data } });
    try {
      const ask = async (path: string, ending: RegExp, then = () => {}) => {
        const client = await secureClient(secure.port, { rejectUnauthorized: false });
        client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        let text = "";
        for await (const chunk of client) {
          if (text === "") then();
          text += chunk;
          if (ending.test(text)) break;
        }
        client.destroy();
        assert.match(text, ending);
      };
      await ask("/media/page.html", new RegExp(`<p>one${TAG}`));
      const change = () => writeFileSync(join(media, "page.html"), "<p>two");
      await ask("/-/live", /data: \{"css":null\}/, change);
      await ask("/media/page.html", new RegExp(`<p>two${TAG}`));
    } finally {
      secure.kill("SIGTERM");
      await secure.ended;
      for (const folder of [site, media, data]) rmSync(folder, { recursive: true });
    }
  });

  it("says what it does not go with", async () => {
    const args = ["serve", root, "--port", "0", "--live", "--fallback", ":1"];
    const { code, stderr } = await runChild(MAIN, { args, timeoutMs: 20_000 });
    assert.equal(code, 2);
    assert.match(stderr, /--live does not go with --fallback/);
  });
});

describe("sluice serve without --live", () => {
  it("never answers with what was there before", async () => {
    const root = makeFolder();
    const server = await startServer(MAIN, ["serve", root, "--port", "0", "--quiet"]);
    const path = join(root, "file.txt");
    try {
      for (let round = 0; round < 60; round++) {
        const text = `${round}`.padStart(4, "0");
        if (round % 3 === 0) rmSync(path, { force: true });
        if (round % 3 === 2) {
          writeFileSync(`${path}.new`, text);
          renameSync(`${path}.new`, path);
        } else writeFileSync(path, text);
        for (let again = 0; again < 2; again++) {
          assert.equal((await fetchRaw(server.port, "/file.txt")).body.toString(), text);
        }
      }
      rmSync(path);
      assert.equal((await fetchRaw(server.port, "/file.txt")).status, 404);
    } finally {
      server.kill("SIGKILL");
      rmSync(root, { recursive: true });
    }
  });
});
