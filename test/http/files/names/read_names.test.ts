import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { OpenFile } from "../../../../src/http/files/open_root.ts";
import { readNames } from "../../../../src/http/files/names/read_names.ts";
import { compareNames } from "../../../../src/http/rules/listing.ts";
import * as sys from "../../../../src/sys/mod.ts";
import { CLOSED_FD, openFds } from "../../../_kit/fds.ts";

let folder = "";
beforeEach(() => folder = mkdtempSync(join(tmpdir(), "sluice-names-")));
afterEach(() => rmSync(folder, { recursive: true }));

/** Opens nothing. */
const never = (name: string): never => assert.fail(`opens ${name}`);

/** What is found at the end of a link. */
function found(isFolder: boolean, closed: string[] = [], name = ""): OpenFile {
  return { folder: isFolder, close: () => void closed.push(name) } as unknown as OpenFile;
}

/** Names in the folder, as the listing has them. */
function read(
  dotfiles: "allow" | "ignore" = "ignore",
  open: (name: string) => OpenFile | number = never,
) {
  const fd = sys.open(folder, sys.OpenFlag.PATH | sys.OpenFlag.DIRECTORY | sys.OpenFlag.CLOEXEC);
  try {
    return readNames(fd, dotfiles, open).slice(0, Infinity);
  } finally {
    sys.close(fd);
  }
}

describe("readNames()", () => {
  it("reads more names than fit into one call, and leaves no descriptor open", () => {
    for (let i = 0; i < 3000; i++) writeFileSync(join(folder, `a long name to fill it ${i}`), "");
    mkdirSync(join(folder, "zzz"));
    const before = openFds();
    const names = read();
    assert.equal(openFds(), before);
    const files = readdirSync(folder).filter((name) => name !== "zzz").sort(compareNames);
    assert.deepEqual(names.map(({ name }) => name), ["zzz", ...files]);
    assert.deepEqual(names[0], { name: "zzz", kind: "folder", link: false });
    assert.ok(names.slice(1).every(({ kind, link }) => kind === "file" && !link));
  });

  it("shows what a request could ask for, and nothing else", () => {
    const shown = ["a", "b c", "ä", "\ufeffmark", "x".repeat(255), "café", "日本"];
    const hidden = ["back\\slash", "line\nend", "control\x01", "delete\x7f"];
    for (const name of [...shown, ...hidden, ".dot"]) writeFileSync(join(folder, name), "");
    assert.equal(spawnSync("mkfifo", [join(folder, "pipe")]).status, 0);
    // A name that is no UTF-8.
    assert.equal(spawnSync("bash", ["-c", `touch "$0"/$'\\xff'`, folder]).status, 0);
    const sorted = shown.toSorted(compareNames);
    assert.deepEqual(read().map(({ name }) => name), sorted);
    const all = [...shown, ".dot"].sort(compareNames);
    assert.deepEqual(read("allow").map(({ name }) => name), all);
  });

  it("opens links, and only them", () => {
    writeFileSync(join(folder, "file"), "");
    for (const name of ["dangling", "file link", "folder link"]) {
      symlinkSync("x", join(folder, name));
    }
    const closed: string[] = [];
    const names = read(
      "ignore",
      (name) => name === "dangling" ? -2 : found(name === "folder link", closed, name),
    );
    assert.deepEqual(names, [
      { name: "folder link", kind: "folder", link: true },
      { name: "file", kind: "file", link: false },
      { name: "file link", kind: "file", link: true },
    ]);
    assert.deepEqual(closed.sort(), ["file link", "folder link"]);
  });

  it("says why it cannot read", () => {
    assert.throws(() => readNames(CLOSED_FD, "ignore", never), { code: "ENOENT" });
    const fd = sys.memfdCreate("file", sys.MemfdFlag.CLOEXEC);
    assert.throws(() => readNames(fd, "ignore", never), { code: "ENOTDIR" });
    sys.close(fd);
  });

  it("leaves no descriptor open when a link cannot be asked for", () => {
    symlinkSync("x", join(folder, "link"));
    const before = openFds();
    assert.throws(() =>
      read("ignore", () => {
        throw new TypeError("asked");
      }), /asked/);
    assert.equal(openFds(), before);
  });
});
