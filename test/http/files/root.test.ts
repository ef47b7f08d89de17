import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoName } from "../../../src/errors.ts";
import { NativeRoot } from "../../../src/http/files/native_root.ts";
import {
  type OpenFile,
  openRoot,
  type Root,
  type Symlinks,
} from "../../../src/http/files/open_root.ts";
import { openPortableRoot } from "../../../src/http/files/portable_root.ts";
import { raw } from "../../../src/sys/mod.ts";
import { describeWithoutLeaks } from "../../_kit/leaks.ts";
import { whileSwapping } from "../_swapping.ts";

const SECRET = "the sentinel outside the root";
const base = mkdtempSync(join(tmpdir(), "sluice-root-"));
after(() => rmSync(base, { recursive: true, force: true }));

const www = join(base, "www");
mkdirSync(join(www, "folder"), { recursive: true });
writeFileSync(join(www, "file.txt"), "0123456789ABCDEFGHIJ");
writeFileSync(join(www, "folder/inner.txt"), "inner");
writeFileSync(join(base, "OUTSIDE"), SECRET);
mkdirSync(join(base, "www-secret"));
writeFileSync(join(base, "www-secret/file"), SECRET);
symlinkSync("file.txt", join(www, "alias"));
symlinkSync("folder", join(www, "elsewhere"));
symlinkSync("../file.txt", join(www, "folder/up"));
symlinkSync("../OUTSIDE", join(www, "out"));
symlinkSync("..", join(www, "above"));
symlinkSync(join(base, "OUTSIDE"), join(www, "absolute"));
symlinkSync("loop", join(www, "loop"));
symlinkSync("/proc/self/root/etc/passwd", join(www, "magic"));
symlinkSync("www", join(base, "www-link"));
symlinkSync(join(www, "file.txt"), join(www, "within"));
symlinkSync(join(base, "www-link", "alias"), join(www, "chain"));
symlinkSync("../../www/file.txt", join(www, "folder/back"));
symlinkSync(www, join(www, "whole"));
symlinkSync(join(base, "www-secret/file"), join(www, "sibling"));
execFileSync("mkfifo", [join(www, "fifo")]);

async function look(root: Root, path: string): Promise<string> {
  const opened = await root.open(path);
  if (typeof opened === "number") return errnoName(-opened);
  try {
    return opened.folder ? "folder" : text(opened);
  } finally {
    opened.close();
  }
}

function text({ fd, size }: OpenFile): string {
  const bytes = new Uint8Array(size);
  // Deno's `readSync` reads only its own descriptors, and they are not the kernel's.
  const count = raw.pread(fd, bytes, 0);
  return new TextDecoder().decode(bytes.subarray(0, count < 0 ? readSync(fd, bytes) : count));
}

const WAYS: [name: string, open: (path: string, symlinks?: Symlinks) => Root][] = [
  ["openRoot()", openRoot],
  [
    "NativeRoot without openat2(2)",
    (path, symlinks = "inside") => new NativeRoot(path, symlinks, { walk: true }),
  ],
  ["openPortableRoot()", (path, symlinks = "inside") => openPortableRoot(path, symlinks)],
];

/** Whatever is said of what lies outside; all of them become 404 or 403. */
const INSIDE = ["EXDEV", "ENOENT", "ELOOP", "ENOTDIR", "EACCES"];

for (const [name, open] of WAYS) {
  describeWithoutLeaks(name, { warmUp: () => look(open(www), "file.txt") }, () => {
    it("opens files and folders", async () => {
      const root = open(www);
      assert.equal(await look(root, "file.txt"), "0123456789ABCDEFGHIJ");
      assert.equal(await look(root, "folder/inner.txt"), "inner");
      assert.equal(await look(root, "folder"), "folder");
      assert.equal(await look(root, "."), "folder");
      root.close();
      root.close();
    });

    it("tells size and time from the descriptor, in nanoseconds", async () => {
      const root = open(www);
      const seconds = 784_111_777.5;
      utimesSync(join(www, "folder/inner.txt"), seconds, seconds);
      const opened = await root.open("folder/inner.txt") as OpenFile;
      assert.equal(opened.size, 5);
      assert.equal(opened.mtimeNs, 784_111_777_500_000_000n);
      opened.close();
      opened.close();
      root.close();
    });

    it("finds nothing where there is nothing, or nothing that can be sent", async () => {
      const root = open(www);
      assert.equal(await look(root, "absent"), "ENOENT");
      assert.equal(await look(root, "absent/file"), "ENOENT");
      assert.equal(await look(root, "file.txt/below"), "ENOTDIR");
      assert.equal(await look(root, "x".repeat(300)), "ENAMETOOLONG");
      assert.match(await look(root, "x/".repeat(3000)), /ENAMETOOLONG|ENOENT/);
      assert.match(await look(root, "loop"), /ELOOP|ENOENT/);
      root.close();
    });

    it("does not wait for a FIFO, and takes no socket", async () => {
      const root = open(www);
      const socket = join(www, "socket");
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      assert.equal(await look(root, "fifo"), "ENOENT");
      assert.match(await look(root, "socket"), /ENXIO|ENOENT|EOPNOTSUPP/);
      await new Promise((resolve) => server.close(resolve));
      root.close();
    });

    it("follows links that stay inside, and no others", async () => {
      const root = open(www, "inside");
      const walks = name.startsWith("NativeRoot");
      const ten = walks ? "ELOOP" : "0123456789ABCDEFGHIJ";
      assert.equal(await look(root, "alias"), ten);
      assert.equal(await look(root, "elsewhere/inner.txt"), walks ? "ENOTDIR" : "inner");
      assert.equal(await look(root, "folder/up"), ten);
      for (const path of ["out", "above", "above/OUTSIDE", "absolute", "above/www-secret/file"]) {
        assert.ok(INSIDE.includes(await look(root, path)), path);
      }
      assert.notEqual(await look(root, "magic"), "folder");
      root.close();
    });

    it("follows links with absolute paths that lead inside, by whatever name of the folder", async () => {
      const root = open(www, "inside");
      const walks = name.startsWith("NativeRoot");
      const ten = walks ? "ELOOP" : "0123456789ABCDEFGHIJ";
      assert.equal(await look(root, "within"), ten);
      assert.equal(await look(root, "chain"), ten);
      assert.equal(await look(root, "folder/back"), ten);
      assert.equal(await look(root, "whole/file.txt"), walks ? "ENOTDIR" : ten);
      assert.ok(INSIDE.includes(await look(root, "sibling")));
      root.close();
      const linked = open(join(base, "www-link"), "inside");
      assert.equal(await look(linked, "within"), ten);
      linked.close();
      const denying = open(www, "deny");
      assert.match(await look(denying, "within"), /ELOOP|EXDEV/);
      denying.close();
    });

    it("follows none where none may be followed", async () => {
      const root = open(www, "deny");
      assert.equal(await look(root, "file.txt"), "0123456789ABCDEFGHIJ");
      for (const path of ["alias", "elsewhere/inner.txt", "out", "above/OUTSIDE", "absolute"]) {
        assert.match(await look(root, path), /ELOOP|EXDEV|ENOTDIR/, path);
      }
      root.close();
    });

    it("follows all where all may be followed", async () => {
      const root = open(www, "follow");
      for (const path of ["out", "above/OUTSIDE", "absolute"]) {
        assert.equal(await look(root, path), SECRET, path);
      }
      assert.equal(await look(root, "folder/up"), "0123456789ABCDEFGHIJ");
      root.close();
    });

    it("is not led out by dots, which its callers should have refused", async () => {
      const root = open(www);
      for (
        const path of ["../OUTSIDE", "folder/../../OUTSIDE", "/etc/passwd", "../www-secret/file"]
      ) {
        assert.ok(INSIDE.includes(await look(root, path)), path);
      }
      root.close();
    });

    it("opens sparse files of a terabyte", async () => {
      const root = open(www);
      writeFileSync(join(www, "sparse"), "");
      truncateSync(join(www, "sparse"), 2 ** 40 + 1);
      const opened = await root.open("sparse") as OpenFile;
      assert.equal(opened.size, 2 ** 40 + 1);
      opened.close();
      rmSync(join(www, "sparse"));
      root.close();
    });

    it("notices that another folder has been put in its place", async () => {
      const place = join(base, "current");
      for (const version of ["one", "two"]) {
        mkdirSync(join(base, version));
        writeFileSync(join(base, version, "version"), version);
      }
      symlinkSync("one", place);
      const root = open(place);
      assert.equal(await look(root, "version"), "one");
      symlinkSync("two", join(base, "next"));
      renameSync(join(base, "next"), place);
      let seen = "";
      for (let i = 0; i < 200 && seen !== "two"; i++) {
        seen = await look(root, "version");
        await sleep(20);
      }
      assert.equal(seen, "two");
      root.close();
      for (const version of ["one", "two", "current"]) {
        rmSync(join(base, version), { recursive: true });
      }
    });

    it("refuses a folder that is none", () => {
      assert.throws(() => open(join(base, "absent")), { code: "ENOENT" });
      assert.throws(() => open(join(base, "OUTSIDE")), { code: "ENOTDIR" });
    });
  });
}

describe("openRoot()", () => {
  it("refuses arguments of the wrong kind", () => {
    assert.throws(() => openRoot("" as never), TypeError);
    assert.throws(() => openRoot(1 as never), TypeError);
    assert.throws(() => openRoot("a\0b"), TypeError);
    assert.throws(() => openRoot(www, "outside" as never), TypeError);
  });

  it("opens without a promise what is in memory", async () => {
    const root = openRoot(www);
    (await root.open("file.txt") as OpenFile).close();
    const opened = root.open("file.txt");
    assert.ok(!(opened instanceof Promise));
    (opened as OpenFile).close();
    assert.equal(typeof root.openNow!("absent"), "number");
    root.close();
  });

  for (const walk of [false, true]) {
    it(`cannot be led out by renames meanwhile, ${walk ? "name by name" : "by openat2(2)"}`, async () => {
      const root = new NativeRoot(www, "inside", { walk });
      const seen = new Set<string>();
      const name = `race-${walk}`;
      await whileSwapping(www, name, async () => {
        // Until the file and the refusal of the link have been seen, and then some more.
        for (let round = 0; round < 30_000 || (seen.size < 2 && round < 1_000_000); round++) {
          seen.add(await look(root, `${name}/swapped/OUTSIDE`));
          if (round % 1000 === 0) await sleep(0);
        }
      });
      assert.ok(seen.has("inside") && seen.size > 1, [...seen].join());
      assert.ok(!seen.has(SECRET), [...seen].join());
      root.close();
    });
  }
});
