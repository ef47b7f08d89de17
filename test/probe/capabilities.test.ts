import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Capabilities, capabilities } from "../../src/capabilities.ts";
import { openDescriptors } from "../_kit/leaks.ts";
import { programArgs } from "../_kit/package.ts";

const PRINT = fileURLToPath(new URL("./_fixtures/print.ts", import.meta.url));
const program = [process.execPath, ...programArgs(PRINT)];
const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Whether a command can be run: in a container without privileges some cannot. */
const can = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;
const NO_CAPS = ["--bounding-set=-ipc_lock", "true"];
const NO_SETPRIV = can("setpriv", ...NO_CAPS) ? false : "setpriv cannot drop capabilities here";
const NO_UNSHARE = can("unshare", "--net", "true") ? false : "no network namespace can be made";

/** The answer of a process that a shell has prepared. */
function prepared(command: string): Capabilities {
  const line = command.replace("PROGRAM", program.map(quote).join(" "));
  return JSON.parse(execFileSync("sh", ["-c", line], { encoding: "utf8" }));
}

const shell = (command: string) => execFileSync("sh", ["-c", command], { encoding: "utf8" }).trim();
const limit = (text: string, unit = 1) => text === "unlimited" ? null : Number(text) * unit;

describe("capabilities()", () => {
  it("finds what every kernel of the last ten years has", () => {
    const { mechanisms } = capabilities({ folder: tmpdir() });
    for (const name of ["sendfile", "splice", "tee", "vmsplice", "memfd"] as const) {
      assert.equal(mechanisms[name].state, "works", `${name}: ${mechanisms[name].detail}`);
      assert.equal(mechanisms[name].remedy, null);
    }
  });

  it("says of each mechanism what was found, and how to get what does not work", () => {
    for (const [name, { state, detail, remedy }] of Object.entries(capabilities().mechanisms)) {
      assert.match(state, /^(works|missing|forbidden|unknown)$/, name);
      assert.notEqual(detail, "", name);
      if (state !== "works") assert.ok(remedy, `${name}: ${detail}`);
    }
  });

  it("names the TLS library, and says why the kernel does not encrypt where it does not", () => {
    const { mechanisms: { ktls }, tls: { kernelTls, library, reason, version } } = capabilities();
    assert.match(library!, /^(libssl\.so\.3|runtime)$/);
    assert.match(version!, /^OpenSSL ([3-9]|\d\d)\./);
    assert.equal(reason, null);
    if (kernelTls.state === "works") assert.equal(ktls.state, "works");
    else assert.ok(kernelTls.detail !== "" && kernelTls.remedy !== null);
  });

  it("is data that survives JSON", () => {
    const found = capabilities();
    assert.deepEqual(JSON.parse(JSON.stringify(found)), found);
    assert.equal(found.kernel, release());
  });

  it("knows the limits that the shell and the kernel tell", () => {
    const { limits } = capabilities();
    assert.deepEqual(limits!.openFiles, {
      soft: limit(shell("ulimit -S -n")),
      hard: limit(shell("ulimit -H -n")),
    });
    assert.equal(limits!.pageSize, Number(shell("getconf PAGESIZE")));
    assert.ok(limits!.pipeCapacity >= 4096 && limits!.largestPipe >= limits!.pipeCapacity);
  });

  it("lists the interfaces, of which loopback gathers", () => {
    const { interfaces } = capabilities().network!;
    const names = readFileSync("/proc/net/dev", "utf8").split("\n").slice(2)
      .map((line) => line.split(":", 1)[0]!.trim()).filter(Boolean);
    assert.deepEqual(interfaces.map(({ name }) => name), names);
    assert.equal(interfaces.find(({ name }) => name === "lo")?.scatterGather, true);
  });

  it("leaves no descriptor open and no file behind", () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-probe-test-"));
    try {
      capabilities({ folder });
      const before = openDescriptors().length;
      for (let round = 0; round < 5; round++) capabilities({ folder });
      // Runtimes may have closed some of their own meanwhile.
      assert.ok(openDescriptors().length <= before);
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says that a folder cannot be tried, and tries the rest", () => {
    const { mechanisms } = capabilities({ folder: "/proc" });
    for (const name of ["copyFileRange", "reflink", "directIo"] as const) {
      assert.equal(mechanisms[name].state, "unknown");
      assert.match(mechanisms[name].detail, /no file can be made in \/proc/);
    }
    assert.equal(mechanisms.sendfile.state, "works");
  });

  it("finds no reflink and other blocks on a file system in memory", {
    skip: existsSync("/dev/shm") ? false : "there is no /dev/shm",
  }, () => {
    const { reflink } = capabilities({ folder: "/dev/shm" }).mechanisms;
    assert.equal(reflink.state, "missing");
    assert.match(reflink.detail, /^ioctl FICLONE: E/);
    assert.match(reflink.remedy!, /Btrfs/);
  });

  it("calls locked memory forbidden where the limit is 0", { skip: NO_SETPRIV }, () => {
    const command = "ulimit -l 0; exec setpriv --bounding-set=-ipc_lock PROGRAM";
    const { mechanisms: { lockedMemory }, limits } = prepared(command);
    assert.equal(lockedMemory.state, "forbidden");
    assert.match(lockedMemory.detail, /^mlock: E(PERM|NOMEM)$/);
    assert.match(lockedMemory.remedy!, /ulimit -l/);
    assert.deepEqual(limits!.lockedMemory, { soft: 0, hard: 0 });
  });

  it("does without loopback: what cannot be tried then is unknown", { skip: NO_UNSHARE }, () => {
    const { mechanisms: { sendfile, ktls } } = prepared("exec unshare --net PROGRAM");
    assert.equal(sendfile.state, "works");
    assert.match(sendfile.detail, /Unix socket/);
    assert.equal(ktls.state, "unknown");
    assert.match(ktls.detail, /no TCP connection over loopback/);
  });

  it("refuses a folder that is no path", () => {
    assert.throws(() => capabilities({ folder: 1 as unknown as string }), TypeError);
    assert.throws(() => capabilities({ folder: "a\0b" }), TypeError);
  });
});
