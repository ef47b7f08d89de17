/** The servers that are compared. @module */

import type { Context } from "./context.ts";
import { commandFor, nginxVersion, type RuntimeName, versionOf } from "./environment.ts";
import { REMEDY, startNginx } from "./nginx.ts";
import { type Server, startServer } from "./processes.ts";
import type { PeerName } from "./selection.ts";
import type { Workspace } from "./workspace.ts";

/** A server that can be measured. */
export interface Subject {
  readonly name: string;
  /**
   * - `sluice`: ours, by sendfile, held to the bars
   * - `copies`: ours where the runtime shows no descriptor, so that it cannot but copy
   * - `pipe`: `fs.createReadStream().pipe(res)`
   * - `naive`: sendfile without the look at the page cache
   * - `own`: the runtime's own way of serving files
   * - `nginx`, `nginx-off`: with `sendfile` on and off
   * - `package`: what is used in JavaScript to serve a folder
   */
  readonly kind: "sluice" | "copies" | "pipe" | "naive" | "own" | "nginx" | "nginx-off" | "package";
  /** Name of the peer that it is; `undefined` for ours. */
  readonly peer: PeerName | undefined;
  /** The JavaScript runtime; `undefined` for nginx. */
  readonly runtime: RuntimeName | undefined;
  /** Starts it on the generated files. */
  start(workspace: Workspace): Promise<Server>;
}

type Kind = Subject["kind"];

/** A server file of ours, what readers are told that it does, and which peer that is. */
type File = readonly [kind: Kind, file: string, does: string, peer?: PeerName, argument?: string];

const NAIVE: File = ["naive", "net_naive", "sendfile without a look at the page cache", "naive"];
const PIPE: File = ["pipe", "http_pipe", "createReadStream().pipe(res)", "streams"];
const PACKAGES: readonly File[] = [
  ["package", "middleware", "send", "send", "http-send"],
  ["package", "middleware", "express.static", "express", "express-static"],
  ["package", "middleware", "sirv", "sirv", "http-sirv"],
  ["package", "middleware", "@fastify/static", "fastify", "fastify-static"],
];

/** Server files by runtime. `node-ffi` differs from `node` in what is ours alone. */
const FILES: Record<RuntimeName, readonly File[]> = {
  "node": [["sluice", "http_sluice", "sendFile(res), koffi"], NAIVE, PIPE, ...PACKAGES],
  "node-ffi": [["sluice", "http_sluice", "sendFile(res), node:ffi"]],
  "bun": [
    ["sluice", "net_sluice", "sendFile(socket), node:net"],
    ["sluice", "bun_listen_sluice", "sendFile(socket), Bun.listen"],
    ["copies", "http_sluice", "sendFile(res), which has to copy"],
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
 * Ours and the peers that are wanted, as far as they are installed, nginx first; says on `note` what
 * is not. `without` names kinds that the benchmark has no use for.
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
