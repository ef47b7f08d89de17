/**
 * Videos in the browser: `node examples/video_server.ts FOLDER [PORT]`, or with `bun` or
 * `deno run -A`.
 *
 * Your own server makes the pages. The videos, which are nearly all of the bytes, bypass it:
 * `createFileServer` stands in front, answers the ranges that a player requests, and forwards all
 * other requests. When a viewer skips to the end of a film, only that end is read.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { extname } from "node:path";
import process from "node:process";
import { createFileServer } from "../src/http/mod.ts";

const [folder = ".", port = "3000"] = process.argv.slice(2);
const VIDEOS: ReadonlySet<string> = new Set([".mp4", ".m4v", ".webm", ".ogv", ".mov"]);

const pages = createServer((req, res) => {
  const { pathname } = new URL(req.url ?? "/", "http://localhost");
  const names = readdirSync(folder).filter((name) => VIDEOS.has(extname(name).toLowerCase()));
  if (pathname === "/") return show(res, "Videos", list(names.sort()));
  const name = names.find((name) => pathname === `/watch/${encodeURIComponent(name)}`);
  if (name === undefined) return show(res, "Not found", '<a href="/">Videos</a>', 404);
  return show(res, name, player(name));
});

function list(names: readonly string[]): string {
  const items = names.map((name) =>
    `<li><a href="/watch/${encodeURIComponent(name)}">${escape(name)}</a>`
  );
  return items.length === 0 ? "<p>There are no videos here." : `<ul>${items.join("\n")}</ul>`;
}

/** Renders a player. With `preload="metadata"`, it requests the beginning and what you seek to. */
function player(name: string): string {
  return `<video controls autoplay preload="metadata" src="/${encodeURIComponent(name)}"></video>
<p><a href="/">All videos</a>`;
}

function show(res: ServerResponse, title: string, body: string, status = 200): void {
  res.statusCode = status;
  res.setHeader("Content-Type", "text/html; charset=utf-8");
  res.end(`<!doctype html><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>body{font:1rem system-ui;margin:2rem}video{width:100%}</style>
<h1>${escape(title)}</h1>${body}\n`);
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
const { port: behind } = pages.address() as { port: number };
const server = createFileServer({
  root: folder,
  port: Number(port),
  // The program makes the first page, whatever the folder contains.
  index: false,
  fallback: { to: `127.0.0.1:${behind}`, paths: ["/watch/"] },
});
const { port: listening } = await server.listen();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await server.close();
    pages.close();
  });
}

// Printed last, because a reader of this line may send a signal at once.
console.log(`Showing the videos of ${folder} at http://127.0.0.1:${listening}/`);
