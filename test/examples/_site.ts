/** The folder that the tests of the file server serve. @module */

import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type RunningServer, startServer } from "../_kit/server.ts";

export const FILE_SERVER: URL = new URL("../../examples/file_server.ts", import.meta.url);
export const MIB: number = 1024 * 1024;
/** How the log describes files with this backend. */
export const METHOD: string = process.env["SLUICE_FFI"] === "none" ? "copy" : "sendfile";

/** A folder, and a server of it. */
export interface Site {
  readonly root: string;
  /** The content of `/big.bin`: 64 MiB. */
  readonly big: Uint8Array;
  readonly server: RunningServer;
  close(): Promise<void>;
}

/** Makes the folder, with secrets beside it, and starts the server. */
export async function openSite(): Promise<Site> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "sluice-")));
  const root = join(folder, "www");
  const big = randomFillSync(new Uint8Array(64 * MIB));
  mkdirSync(join(root, "sub"), { recursive: true });
  mkdirSync(join(root, "site"));
  mkdirSync(join(folder, "www-secret"));
  writeFileSync(join(folder, "secret.txt"), "SENTINEL");
  writeFileSync(join(folder, "www-secret", "secret.txt"), "SENTINEL");
  writeFileSync(join(root, ".hidden"), "SENTINEL");
  writeFileSync(join(root, "s.txt"), "0123456789ABCDEFGHIJ");
  writeFileSync(join(root, "site", "index.html"), "<p>index");
  writeFileSync(join(root, "sub", `<img src=x onerror="alert(1)">&'.txt`), "strange");
  writeFileSync(join(root, "sub", "a%20b?c#d.txt"), "escaped");
  writeFileSync(join(root, "big.bin"), big);
  symlinkSync("../secret.txt", join(root, "link.txt"));
  symlinkSync("..", join(root, "up"));
  symlinkSync("s.txt", join(root, "inside.txt"));
  execFileSync("mkfifo", [join(root, "fifo")]);
  const server = await startServer(FILE_SERVER, [root, "--port", "0"]);
  return {
    root,
    big,
    server,
    async close() {
      server.kill("SIGKILL");
      await server.ended;
      rmSync(folder, { recursive: true });
    },
  };
}
