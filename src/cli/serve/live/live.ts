/** `--live`: reloads pages in browsers when files change. @module */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { FileServer, FileServerOptions } from "../../../http/mod.ts";
import { type Change, Changes } from "./changes.ts";
import { CLIENT, SCRIPT_PATH, SCRIPT_TAG, STREAM_PATH } from "./client.ts";
import { FolderWatcher } from "./watcher.ts";

/** The folders of a server. */
export type LiveSite = Pick<FileServerOptions, "hosts" | "mounts" | "only"> & {
  readonly root: string;
};

/** What is served. */
export interface LiveOptions {
  readonly site: LiveSite;
  /** Whether files are served whose name begins with a dot. */
  readonly dotfiles: boolean;
  /** Called if not all changes will be noticed. */
  warn(message: string): void;
}

/** The parts that belong to a running server. */
export interface Live {
  /** Options for the server. */
  readonly options: Partial<FileServerOptions>;
  /** Begins to watch; resolves when all folders are watched. Changes first empty the server's caches. */
  watch(server: Pick<FileServer, "reload">): Promise<unknown>;
  /** Ends all streams. */
  close(): void;
}

/** Interval in which a stream says that it is alive, in milliseconds. */
const ALIVE_MS = 20_000;

/** Longest path of a Unix socket that all systems accept, in bytes. */
const SOCKET_PATH_BYTES = 100;

/**
 * Starts the server of the streams. It listens on a Unix socket that only this user can reach; the file
 * server forwards `/-/live` to it.
 */
export async function startLive(options: LiveOptions): Promise<Live> {
  const { dotfiles, site, warn } = options;
  const { only, root } = site;
  const streams = new Set<ServerResponse>();
  let reload = () => Promise.resolve();
  const changes = new Changes({
    before: () => reload(),
    report: (change) => streams.forEach((stream) => tell(stream, change)),
  });
  const folder = mkdtempSync(join(Buffer.byteLength(tmpdir()) < 60 ? tmpdir() : "/tmp", "sluice-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on("exit", remove);
  const path = join(folder, "live");
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES) {
    throw new Error(`Cannot listen on ${path}: too long`);
  }
  const server = createServer((req, res) => {
    const { pathname, searchParams } = new URL(req.url!, "http://localhost");
    if (pathname === SCRIPT_PATH) {
      res.setHeader("Content-Type", "text/javascript; charset=utf-8");
      res.setHeader("Cache-Control", "no-cache");
      return void res.end(CLIENT);
    }
    if (pathname !== STREAM_PATH) return void res.writeHead(404, { "Content-Length": 0 }).end();
    res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    streams.add(res);
    res.on("close", () => streams.delete(res));
    const known = req.headers["last-event-id"] ?? searchParams.get("since");
    const missed = typeof known === "string" && known !== ""
      ? changes.since(known)
      : changes.sinceAge(Number(searchParams.get("age")) || 0);
    tell(res, missed ?? { id: changes.id });
  });
  server.listen(path);
  await once(server, "listening");
  const timer = setInterval(() => streams.forEach((stream) => stream.write(":\n\n")), ALIVE_MS);
  const watchers: FolderWatcher[] = [];
  const below = foldersOf(site);
  return {
    options: {
      ...below.options,
      appendHtml: SCRIPT_TAG,
      fallback: { to: `unix:${path}`, paths: [STREAM_PATH], notFound: false, methods: false },
    },
    watch(files) {
      reload = () => files.reload();
      for (const { at, folder } of [{ at: "", folder: root }, ...below.folders]) {
        const alone = folder === root ? only : undefined;
        watchers.push(
          new FolderWatcher(folder, {
            ignores: (name) => alone === undefined ? ignores(name, dotfiles) : name !== alone,
            changed: (path) => changes.note(at + path),
            limited: (why) => warn(`Some changes below ${folder} will not be noticed: ${why}`),
          }),
        );
      }
      return Promise.all(watchers.map(({ ready }) => ready));
    },
    close() {
      for (const watcher of watchers) watcher.close();
      changes.close();
      clearInterval(timer);
      server.close();
      for (const stream of streams) stream.end();
      server.closeIdleConnections();
      remove();
      process.off("exit", remove);
    },
  };
}

/** The further folders: with the script, and where they stand. */
function foldersOf({ hosts, mounts }: LiveSite) {
  const folders: { at: string; folder: string }[] = [];
  const filled = (all: object | undefined, at: (name: string) => string): object =>
    Object.fromEntries(
      Object.entries(all ?? {}).map(([name, it]: [string, unknown]) => {
        const options = typeof it === "string" || it instanceof URL ? { root: it } : it;
        const { mounts: own, root } = options as Partial<LiveSite>;
        if (root !== undefined) folders.push({ at: at(name), folder: pathOf(root) });
        const inner: object = own === undefined ? {} : { mounts: filled(own, relative) };
        return [name, { ...options as object, ...inner, appendHtml: SCRIPT_TAG }];
      }),
    );
  const options = {
    ...mounts !== undefined && { mounts: filled(mounts, relative) },
    // A style sheet of a host has the same path there.
    ...hosts !== undefined && { hosts: filled(hosts, () => "") },
  };
  return { folders, options: options as Partial<FileServerOptions> };
}

function relative(mount: string): string {
  return `${mount.replace(/^\//, "")}/`;
}

function pathOf(root: string | URL): string {
  return root instanceof URL ? fileURLToPath(root) : root;
}

/** Writes an event. */
function tell(stream: ServerResponse, { id, css }: Partial<Change>): void {
  stream.write(`id: ${id}\ndata: ${JSON.stringify({ css })}\n\n`);
}

/** Names whose changes do not matter to pages: what is not served, packages, and editors' copies. */
export function ignores(name: string, dotfiles: boolean): boolean {
  if (name === "node_modules" || name === ".git" || name.endsWith("~")) return true;
  return !dotfiles && name[0] === "." && name !== ".well-known";
}
