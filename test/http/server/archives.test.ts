import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { tarLength, tarWriter } from "../../../src/http/archive/tar.ts";
import type { ArchiveEntry } from "../../../src/http/archive/types.ts";
import { zipLength, zipWriter } from "../../../src/http/archive/zip.ts";
import { capabilities } from "../../../src/capabilities.ts";
import { createFileServer, type FileServer } from "../../../src/http/mod.ts";
import { landlockVersion } from "../../../src/sys/raw/inspection.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";
import { openDescriptors } from "../../_kit/descriptors.ts";
import { fetchRaw, requestText, responses, talk } from "../../_kit/raw_http.ts";
import { secureGet } from "./_tls.ts";
import { patterned } from "./_site.ts";

const PYTHON = spawnSync("python3", ["--version"]).status === 0;
const NO_PYTHON = PYTHON ? false : "python3 is not installed";
const SYSTEM = capabilities().backend !== null;
const NO_LANDLOCK = SYSTEM && landlockVersion() > 0 ? false : "needs Landlock";

const LONG = `${"long ".repeat(30)}name`;
const MIB = 1024 * 1024;

/** Content by path below the folder. */
const FILES: Record<string, Uint8Array> = {
  "a.txt": Buffer.from("hello"),
  "empty": new Uint8Array(0),
  "large.bin": patterned(3 * MIB + 17),
  "ü <&>/日本.txt": Buffer.from("names"),
  [`${LONG}/${LONG}/${LONG}.txt`]: Buffer.from("deep"),
  "at limit": patterned(16 * 1024),
  "beyond limit": patterned(16 * 1024 + 1),
  "link.txt": Buffer.from("hello"),
};

function makeFolder(): string {
  const parent = mkdtempSync(join(tmpdir(), "sluice-"));
  const folder = join(parent, "www", "photos");
  for (const [name, bytes] of Object.entries(FILES)) {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    if (name !== "link.txt") writeFileSync(path, bytes);
    utimesSync(join(path, ".."), 1_600_000_000, 1_600_000_000);
  }
  utimesSync(join(folder, "a.txt"), 1_700_000_000, 1_700_000_000);
  writeFileSync(join(folder, ".hidden"), "hidden");
  writeFileSync(join(parent, "secret"), "secret");
  mkdirSync(join(folder, "nothing"));
  symlinkSync("a.txt", join(folder, "link.txt"));
  symlinkSync("../../secret", join(folder, "out"));
  symlinkSync("..", join(folder, "nothing", "up"));
  symlinkSync("/etc", join(folder, "etc"));
  return parent;
}

/** Waits until a condition holds; what is waited for is an event of the server's threads. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(what);
}

/** Everything below a folder, as {@linkcode FILES} has it. */
function contentOf(folder: string): Record<string, Uint8Array> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const files = names.filter((name) => statSync(join(folder, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name))]));
}

function assertContent(folder: string): void {
  const found = contentOf(folder);
  assert.deepEqual(Object.keys(found).sort(), Object.keys(FILES).sort());
  for (const [name, bytes] of Object.entries(FILES)) {
    assert.ok(Buffer.from(bytes).equals(found[name]!), name);
  }
}

/** Takes an archive apart by a program that knows the format. */
function unpack(format: "tar" | "zip", archive: Uint8Array, into: string): void {
  mkdirSync(into);
  const path = `${into}.${format}`;
  writeFileSync(path, archive);
  const script =
    "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n" +
    "z.extractall(sys.argv[2])";
  const { status, stderr } = format === "tar"
    ? spawnSync("tar", ["-xf", path, "-C", into])
    : spawnSync("python3", ["-c", script, path, into]);
  assert.equal(String(stderr), "");
  assert.equal(status, 0);
}

describe("a folder as an archive", () => {
  let parent = "";
  let server: FileServer;
  let port = 0;
  before(async () => {
    parent = makeFolder();
    const root = join(parent, "www");
    server = createFileServer({ root, listing: true, archives: true, threads: 2 });
    ({ port } = await server.listen());
  });
  after(async () => {
    await server.close({ graceMs: 0 });
    rmSync(parent, { recursive: true });
  });

  for (const format of ["tar", "zip"] as const) {
    const skip = format === "zip" ? NO_PYTHON : false;
    it(`is a ${format} that others unpack`, { skip }, async () => {
      const { body, headers, status } = await fetchRaw(port, `/photos/?download=${format}`);
      assert.equal(status, 200);
      assert.equal(headers.get("content-disposition"), `attachment; filename="photos.${format}"`);
      assert.equal(Number(headers.get("content-length")), body.length);
      // The same folder has the same archive.
      assert.ok((await fetchRaw(port, `/photos/?download=${format}`)).body.equals(body));
      const into = join(parent, `out-${format}`);
      unpack(format, body, into);
      assertContent(join(into, "photos"));
      assert.ok(statSync(join(into, "photos", "nothing")).isDirectory());
      const time = statSync(join(into, "photos", "a.txt")).mtimeMs;
      if (format === "zip") return;
      assert.equal(time, 1_700_000_000_000);
      const [there, here] = [into, join(parent, "www")].map((at) => statSync(join(at, "photos")));
      assert.equal(there!.mtimeMs, Math.floor(here!.mtimeMs / 1000) * 1000);
    });
  }

  it("has its length in advance, and keeps the connection", async () => {
    const text = requestText("/photos/?download=zip", {}, "HEAD") +
      requestText("/photos/?download=tar") + requestText("/photos/nothing/?download=zip") +
      requestText("/photos/a.txt", { Connection: "close" });
    const answers = responses(await talk(port, text), ["HEAD", "GET", "GET", "GET"]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
    const whole = await fetchRaw(port, "/photos/?download=zip");
    assert.equal(answers[0]!.headers.get("content-length"), String(whole.body.length));
    assert.equal(answers[3]!.body.toString(), "hello");
  });

  it("is that of the whole site at its root, and of no file", async () => {
    const { headers, status } = await fetchRaw(port, "/?download=tar", {}, "HEAD");
    assert.equal(status, 200);
    assert.equal(headers.get("content-disposition"), 'attachment; filename="files.tar"');
    const file = await fetchRaw(port, "/photos/a.txt?download=zip");
    assert.equal(file.body.toString(), "hello");
    assert.equal((await fetchRaw(port, "/none/?download=zip")).status, 404);
    assert.match((await fetchRaw(port, "/photos/?download=rar")).body.toString(), /<table>/);
    assert.match((await fetchRaw(port, "/photos/")).body.toString(), /href="\?download=tar"/);
  });

  it("is cut if a file changes on the way, and leaves no descriptor", async () => {
    const folder = join(parent, "www", "changing");
    mkdirSync(folder);
    writeFileSync(join(folder, "1"), "");
    truncateSync(join(folder, "1"), 64 * MIB);
    const last = join(folder, "2");
    writeFileSync(last, "x".repeat(100_000));
    await fetchRaw(port, "/changing/?download=tar", {}, "HEAD");
    const descriptors = openDescriptors();
    const changes = [
      () => appendFileSync(last, "more"),
      () => truncateSync(last, 5),
      () => rmSync(last),
    ];
    for (const change of changes) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      let bytes = 0;
      let head = "";
      const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
      socket.write(requestText("/changing/?download=tar", { Connection: "close" }));
      socket.on("data", (piece: Uint8Array) => {
        if (bytes === 0) {
          head = Buffer.from(piece).toString("latin1");
          change();
        }
        bytes += piece.length;
      });
      await closed;
      const length = Number(/Content-Length: (\d+)/.exec(head)![1]);
      assert.ok(bytes < length, `${bytes} of ${length}`);
      writeFileSync(last, "x".repeat(100_000));
    }
    assert.equal(server.stats().truncated, changes.length);
    await until(() => openDescriptors() <= descriptors, "descriptors are open");
  });

  it("ends with its client", async () => {
    const descriptors = openDescriptors();
    const { aborted } = server.stats();
    const sockets = Array.from({ length: 4 }, (_, i) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.once("data", () => socket.destroy());
      socket.write(requestText(`/changing/?download=${i % 2 ? "tar" : "zip"}`));
      return socket;
    });
    await until(() => server.stats().aborted === aborted + 4, "not all are aborted");
    assert.ok(sockets.every(({ destroyed }) => destroyed));
    await until(() => openDescriptors() <= descriptors, "descriptors are open");
  });
});

describe("archives of other servers", () => {
  it("have limits, and the rules of the listing", async () => {
    const parent = makeFolder();
    const root = join(parent, "www");
    const make = (archives: unknown) => async (target: string) => {
      const server = createFileServer({ root, listing: true, archives: archives as never });
      try {
        return await fetchRaw((await server.listen()).port, target);
      } finally {
        await server.close({ graceMs: 0 });
      }
    };
    const few = await make({ maxEntries: 3 })("/photos/?download=zip");
    assert.equal(
      `${few.status} ${few.body}`,
      "403 403 Forbidden: the folder has more than 3 entries\n",
    );
    const small = await make({ maxBytes: MIB })("/photos/?download=zip");
    assert.match(small.body.toString(), /more than 1048576 bytes/);
    const none = await make(false)("/photos/?download=zip");
    assert.match(none.body.toString(), /<table>/);
    rmSync(parent, { recursive: true });
  });

  it("are checked options", () => {
    const make = (archives: unknown, listing = true) => () =>
      createFileServer({ root: ".", listing, archives: archives as never });
    assert.throws(make(true, false), /archives are of folders that are listed; set listing, too/);
    assert.throws(
      make({ maxEntries: 0 }),
      /archives\.maxEntries is 0, but must be an integer in 1/,
    );
    assert.throws(make({ maxBytes: "1" }), /archives\.maxBytes must be a number, not/);
    assert.throws(make(1), TypeError);
  });

  it("are those of folders of mounts, where they are allowed", async () => {
    const parent = makeFolder();
    const root = join(parent, "www", "photos");
    const server = createFileServer({
      root: join(parent, "www"),
      mounts: { "/more/photos": { root, listing: true, archives: true } },
    });
    const { port } = await server.listen();
    const { body, headers } = await fetchRaw(port, "/more/photos/nothing/?download=tar");
    assert.equal(headers.get("content-disposition"), 'attachment; filename="nothing.tar"');
    assert.equal(body.subarray(0, 8).toString("latin1"), "nothing/");
    assert.equal((await fetchRaw(port, "/photos/?download=tar")).status, 404);
    await server.close({ graceMs: 0 });
    rmSync(parent, { recursive: true });
  });

  for (const sandbox of [false, true]) {
    const skip = sandbox && NO_LANDLOCK;
    it(`work over TLS${sandbox ? ", in the sandbox" : ""}`, { skip }, async () => {
      const parent = makeFolder();
      const server = createFileServer({
        ...{ root: join(parent, "www"), listing: true, archives: true, sandbox },
        tls: { cert: CERTIFICATE, key: KEY },
      });
      const { port } = await server.listen();
      const { body } = await secureGet(port, "/photos/?download=tar");
      unpack("tar", body, join(parent, "out"));
      assertContent(join(parent, "out", "photos"));
      await server.close({ graceMs: 0 });
      rmSync(parent, { recursive: true });
    });
  }
});

describe("the formats of archives", () => {
  const entry = (name: string, size: number): ArchiveEntry => ({
    ...{ name, size, path: name, modifiedMs: 1_700_000_000_000 },
  });

  /** Length of all bytes that a writer makes, beside those of the files. */
  function written(writer: ReturnType<typeof tarWriter>, entries: ArchiveEntry[]): number {
    const own = entries.reduce((sum, it) => {
      return sum + writer.before(it, 0).length + it.size + writer.after(it).length;
    }, 0);
    return own + writer.end().length;
  }

  it("announce the length that they write, whatever the sizes", () => {
    const sizes = [
      0,
      1,
      511,
      512,
      2 ** 32 - 2,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 33 - 1,
      2 ** 33,
      2 ** 40,
    ];
    for (const size of sizes) {
      for (
        const name of ["a", "a/", "n".repeat(99), "n".repeat(100), "n".repeat(101), "ü".repeat(120)]
      ) {
        const entries = [entry(name, size), entry(`${name}/b`, 5)];
        assert.equal(written(tarWriter(), entries), tarLength(entries), `tar ${name} ${size}`);
        assert.equal(written(zipWriter(), entries), zipLength(entries), `zip ${name} ${size}`);
      }
    }
    const many = Array.from({ length: 70_000 }, (_, i) => entry(`d/${i}`, 1));
    assert.equal(written(zipWriter(), many), zipLength(many));
    for (let length = 80; length < 1200; length++) {
      const entries = [entry(`ü${"n".repeat(length)}`, 1)];
      assert.equal(tarLength(entries) % 512, 0);
    }
  });

  it("are read by others beyond 4 and 8 GiB", { skip: NO_PYTHON }, () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    const entries = [entry("d/", 0), entry("d/large", 2 ** 33 + 5), entry("d/ü", 3)];
    const script = "import sys,tarfile,zipfile\n" +
      "print([(m.name,m.size,int(m.mtime)) for m in tarfile.open(sys.argv[1])])\n" +
      "print([(i.filename,i.file_size) for i in zipfile.ZipFile(sys.argv[2]).infolist()])\n" +
      "print(zipfile.ZipFile(sys.argv[2]).read('d/ü'))";
    const paths = (["tar", "zip"] as const).map((format) => {
      const writer = format === "tar" ? tarWriter() : zipWriter();
      const path = join(folder, format);
      writeFileSync(path, "");
      let at = 0;
      // A sparse file: the data of the large entry is a hole.
      for (const it of entries) {
        // CRC-32 of "abc".
        appendFileSync(path, writer.before(it, 0x352441c2));
        at = statSync(path).size;
        if (it.size === 3) appendFileSync(path, "abc");
        else truncateSync(path, at + it.size);
        appendFileSync(path, writer.after(it));
      }
      appendFileSync(path, writer.end());
      return path;
    });
    const { stderr, stdout } = spawnSync("python3", ["-c", script, ...paths]);
    assert.equal(String(stderr), "");
    const [tar, zip, read] = String(stdout).split("\n");
    const time = 1_700_000_000;
    assert.equal(
      tar,
      `[('d', 0, ${time}), ('d/large', ${2 ** 33 + 5}, ${time}), ('d/ü', 3, ${time})]`,
    );
    assert.equal(zip, `[('d/', 0), ('d/large', ${2 ** 33 + 5}), ('d/ü', 3)]`);
    assert.equal(read, "b'abc'");
    rmSync(folder, { recursive: true });
  });
});
