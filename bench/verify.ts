/** Checks the bytes before each measurement. @module */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { get as secureGet } from "node:https";
import type { ServedFile } from "./workspace.ts";

/** Simultaneous downloads, to detect a server that mixes them up. */
const AT_ONCE = 4;

/**
 * Downloads a file a few times at once, and compares the contents; over HTTPS with `ca`, the
 * certificate to trust.
 *
 * @throws {Error} When a download differs.
 */
export async function verify(
  port: number,
  { name, sha256 }: ServedFile,
  ca?: string,
): Promise<void> {
  const url = `${ca === undefined ? "http" : "https"}://127.0.0.1:${port}/${name}`;
  const hashes = await Promise.all(Array.from({ length: AT_ONCE }, () => download(url, ca)));
  for (const hash of hashes) {
    if (hash !== sha256) throw new Error(`"${url}" has SHA-256 ${hash}, and the file ${sha256}`);
  }
}

/**
 * Compares a copy with its original by SHA-256.
 *
 * @throws {Error} When they differ.
 */
export async function verifyCopy(path: string, sha256: string): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const found = hash.digest("hex");
  if (found !== sha256) throw new Error(`"${path}" has SHA-256 ${found}, and the file ${sha256}`);
}

function download(url: string, ca: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const hashed = (response: IncomingMessage) => {
      const hash = createHash("sha256");
      response.on("data", (bytes) => hash.update(bytes));
      response.on("end", () => resolve(hash.digest("hex")));
      response.on("error", reject);
    };
    const request = ca === undefined
      ? get(url, { agent: false }, hashed)
      : secureGet(url, { agent: false, ca }, hashed);
    request.on("error", reject);
  });
}
