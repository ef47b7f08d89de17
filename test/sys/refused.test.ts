import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runChild } from "../_kit/child.ts";
import * as sys from "../../src/sys/mod.ts";

const PROGRAM = new URL("./_fixtures/refused.ts", import.meta.url);
const OPTIONS = { timeoutMs: 30_000 };

function can(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

function inFolder(body: (folder: string) => boolean): boolean {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NO_PRLIMIT: string | false = !can("prlimit", "--version") && "prlimit is not installed";

const NO_SETPRIV: string | false = (process.getuid?.() !== 0 || !can("setpriv", "--version")) &&
  "only root can try what a user without privileges gets";

const NO_MOUNT: string | false = !inFolder((folder) => {
  const mounted = can("mount", "-t", "tmpfs", "sluice-test", folder);
  return mounted && can("umount", folder);
}) && "no file system may be mounted here";

const NO_CHATTR: string | false = !inFolder((folder) => {
  const path = join(folder, "file");
  writeFileSync(path, "");
  const set = can("chattr", "+i", path);
  return can("chattr", "-i", path) && set;
}) && "the temporary folder has no immutable files";

const NO_NETWORK: string | false = !can("unshare", "--net", "true") &&
  "no network of its own may be made here";

const NO_RING: string | false = (() => {
  try {
    sys.close(sys.ioUringSetup(1, new Uint8Array(120)));
    return false;
  } catch (error) {
    return (error as Error).message;
  }
})();

async function refuses(way: string): Promise<void> {
  const { code, signal, stdout, stderr } = await runChild(PROGRAM, { ...OPTIONS, args: [way] });
  assert.deepEqual([signal, code], [null, 0], stdout + stderr);
  assert.match(stdout, /alive/);
}

/** Runs the program by way of another. */
function refusesBehind(prefix: readonly string[], way: string): void {
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const self = [process.execPath, ...deno, fileURLToPath(PROGRAM), way];
  const [command, ...args] = [...prefix, ...self];
  const { status, signal, stdout, stderr } = spawnSync(command!, args, {
    encoding: "utf8",
    env: { ...process.env, HOME: "/tmp" },
    timeout: OPTIONS.timeoutMs,
  });
  assert.deepEqual([signal, status], [null, 0], stdout + stderr);
  assert.match(stdout, /alive/);
}

describe("what the system refuses", () => {
  it("EMFILE without a free descriptor", { skip: NO_PRLIMIT }, () => refuses("descriptors"));

  it("EACCES and EPERM to a user without rights", { skip: NO_SETPRIV }, () => {
    const user = ["--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];
    refusesBehind(["setpriv", ...user], "user");
  });

  it("ENOMEM, EAGAIN and EPERM at the limit of locked memory", {
    skip: NO_SETPRIV || NO_PRLIMIT,
  }, () => refusesBehind(["setpriv", "--bounding-set=-ipc_lock"], "locked"));

  it("ENOMEM and EAGAIN with too many mappings", () => refuses("mappings"));

  it("ENOSPC on a full disk", { skip: NO_MOUNT }, () => refuses("full"));

  it("EROFS where nothing can be written", { skip: NO_MOUNT }, () => refuses("readonly"));

  it("EPERM for a file that cannot be changed", { skip: NO_CHATTR }, () => refuses("immutable"));

  it("ENETUNREACH without a network", { skip: NO_NETWORK }, () => {
    refusesBehind(["unshare", "--net"], "network");
  });

  it("EINTR when a signal comes", () => refuses("interrupted"));

  it("EINTR when a signal comes to a ring", { skip: NO_RING }, () => refuses("interrupted ring"));
});
