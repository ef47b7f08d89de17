/**
 * Downloads for logged-in users:
 * `USERS=ann:secret,bob:word node examples/downloads.ts FOLDER [PORT]`, or with `bun` or
 * `deno run -A`.
 *
 * The program decides who may have which file; the bytes bypass it. All users see the common files
 * at `/files/`. At `/mine/`, each user sees the folder of that name. User input never becomes part
 * of a path unchecked: each user has a root, and the kernel keeps look-ups below it.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import express, { type Next, type Request, type Response } from "express";
import { serveStatic, type StaticHandler } from "../src/http/mod.ts";

const [folder = ".", port = "3000"] = process.argv.slice(2);

/** Password hashes, so that all comparisons take the same time. */
const users = new Map<string, Buffer>();
for (const entry of (process.env["USERS"] ?? "").split(",").filter((entry) => entry !== "")) {
  const [name = "", password = ""] = entry.split(":");
  if (!/^[a-z]+$/.test(name)) throw new Error(`Cannot use "${name}" as the name of a user`);
  users.set(name, hash(password));
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** Checks HTTP Basic authentication (RFC 7617). Use it behind TLS only. */
function authenticate(req: Request, res: Response, next: Next): void {
  const [scheme, code = ""] = (req.headers.authorization ?? "").split(" ");
  const text = Buffer.from(code, "base64").toString();
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(0, colon));
  const given = hash(text.slice(colon + 1));
  const known = users.get(name);
  if (scheme?.toLowerCase() === "basic" && timingSafeEqual(given, known ?? hash("")) && known) {
    req.user = name;
    return next();
  }
  res.setHeader("WWW-Authenticate", 'Basic realm="downloads", charset="UTF-8"');
  res.sendStatus(401);
}

const app = express();
app.disable("x-powered-by");
app.use(authenticate);

// "private": shared caches must not store what belongs to one user.
const options = { cacheControl: "private, no-cache", download: true, index: false } as const;
app.use("/files", serveStatic(join(folder, "common"), options));

const homes = new Map<string, StaticHandler>();
for (const name of users.keys()) {
  const home = join(folder, name);
  if (existsSync(home)) homes.set(name, serveStatic(home, options));
}
app.use("/mine", (req, res, next) => {
  const home = homes.get(req.user!);
  if (home === undefined) return next();
  home(req, res, next);
});

const server = app.listen(Number(port), "127.0.0.1", () => {
  const address = server.address() as { port: number };
  console.log(`Downloads at http://127.0.0.1:${address.port}/files/`);
});
