/** The servers to compare. @module */

import type { Context } from "./context.ts";
import { commandFor, nginxVersion, type RuntimeName, versionOf } from "./environment.ts";
import { REMEDY, startNginx } from "./nginx.ts";
import { type Server, startServer } from "./processes.ts";
import type { PeerName } from "./selection.ts";
import type { Workspace } from "./workspace.ts";

/** A server to measure. */
export interface Subject {
  readonly name: string;
  /**
   * - `sluice`: sluice by sendfile, subject to the limits
   * - `pipe`: `fs.createReadStream().pipe(res)`
   * - `naive`: sendfile without checking the page cache
   * - `own`: the runtime's own way of serving files
   * - `nginx`, `nginx-off`: with `sendfile` on and off
   * - `package`: a JavaScript package that serves folders
   */
  readonly kind: "sluice" | "pipe" | "naive" | "own" | "nginx" | "nginx-off" | "package";
  /** Its name as a peer; `undefined` for sluice. */
  readonly peer: PeerName | undefined;
  /** The JavaScript runtime; `undefined` for nginx. */
  readonly runtime: RuntimeName | undefined;
  /** Starts it on the generated files. */
  start(workspace: Workspace): Promise<Server>;
}

type Kind = Subject["kind"];

/** A server program: its kind, file, description, name as a peer, and argument. */
type File = readonly [kind: Kind, file: string, does: string, peer?: PeerName, argument?: string];

const NAIVE: File = ["naive", "net_naive", "sendfile without a look at the page cache", "naive"];
const PIPE: File = ["pipe", "http_pipe", "createReadStream().pipe(res)", "streams"];
const PACKAGES: readonly File[] = [
  ["package", "middleware", "send", "send", "http-send"],
  ["package", "middleware", "express.static", "express", "express-static"],
  ["package", "middleware", "sirv", "sirv", "http-sirv"],
  ["package", "middleware", "@fastify/static", "fastify", "fastify-static"],
];

/** Server programs by runtime. `node-ffi` differs from `node` for sluice only. */
const FILES: Record<RuntimeName, readonly File[]> = {
  "node": [["sluice", "http_sluice", "sendFile(res), koffi"], NAIVE, PIPE, ...PACKAGES],
  "node-ffi": [["sluice", "http_sluice", "sendFile(res), node:ffi"]],
  "bun": [
    ["sluice", "net_sluice", "sendFile(socket), node:net"],
    ["sluice", "bun_listen_sluice", "sendFile(socket), Bun.listen"],
    ["sluice", "http_sluice", "sendFile(res), node:http"],
    NAIVE,
    ["own", "bun_serve", "Bun.serve, Bun.file", "bun"],
    PIPE,
    ...PACKAGES,
  ],
  "deno": [
    ["sluice", "http_sluice", "sendFile(res), node:http"],
    NAIVE,
    ["own", "deno_serve", "Deno.serve", "deno"],
    PIPE,
    ...PACKAGES,
  ],
};

const NAMES: Record<RuntimeName, string> = {
  "node": "Node.js",
  "node-ffi": "Node.js",
  "bun": "Bun",
  "deno": "Deno",
};

/**
 * Returns sluice and the wanted peers that are installed, nginx first; reports missing ones by
 * `note`. Leaves out the kinds in `without`.
 */
export function findSubjects(
  { runtimes, peers, note }: Context,
  without: readonly Kind[] = [],
): Subject[] {
  const subjects: Subject[] = [];
  if (peers.has("nginx") && nginxVersion() === undefined) note(REMEDY);
  else subjects.push(nginx("on"), nginx("off"));
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) note(`${runtime} is not installed: left out`);
    else subjects.push(...FILES[runtime].map((file) => own(runtime, file)));
  }
  return subjects.filter(({ kind, peer }) =>
    !without.includes(kind) && (peer === undefined || peers.has(peer))
  );
}

function nginx(sendfile: "on" | "off"): Subject {
  return {
    name: `nginx, sendfile ${sendfile}`,
    kind: sendfile === "on" ? "nginx" : "nginx-off",
    peer: "nginx",
    runtime: undefined,
    start: ({ files }) => startNginx(files, sendfile),
  };
}

function own(runtime: RuntimeName, [kind, file, does, peer, argument]: File): Subject {
  return {
    name: `${NAMES[runtime]}, ${does}`,
    kind,
    peer,
    runtime,
    start(workspace) {
      const script = workspace.script(`servers/${file}`);
      const args = argument === undefined ? [] : [argument];
      return startServer(commandFor(runtime, script, [workspace.files, ...args]));
    },
  };
}
