/** The servers that are compared. @module */

import { commandFor, nginxVersion, type RuntimeName, versionOf } from "./environment.ts";
import { REMEDY, startNginx } from "./nginx.ts";
import { type Server, startServer } from "./processes.ts";
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
   */
  readonly kind: "sluice" | "copies" | "pipe" | "naive" | "own" | "nginx" | "nginx-off";
  /** The JavaScript runtime; `undefined` for nginx. */
  readonly runtime: RuntimeName | undefined;
  /** Starts it on the generated files. */
  start(workspace: Workspace): Promise<Server>;
}

type Kind = Subject["kind"];

/** A server file of ours, and what readers are told that it does. */
type File = readonly [kind: Kind, file: string, does: string];

const NAIVE: File = ["naive", "net_naive", "sendfile without a look at the page cache"];
const PIPE: File = ["pipe", "http_pipe", "createReadStream().pipe(res)"];

/** Server files by runtime. `node-ffi` differs from `node` in what is ours alone. */
const FILES: Record<RuntimeName, readonly File[]> = {
  "node": [["sluice", "http_sluice", "sendFile(res), koffi"], NAIVE, PIPE],
  "node-ffi": [["sluice", "http_sluice", "sendFile(res), node:ffi"]],
  "bun": [
    ["sluice", "net_sluice", "sendFile(socket), node:net"],
    ["sluice", "bun_listen_sluice", "sendFile(socket), Bun.listen"],
    ["copies", "http_sluice", "sendFile(res), which has to copy"],
    NAIVE,
    ["own", "bun_serve", "Bun.serve, Bun.file"],
    PIPE,
  ],
  "deno": [["sluice", "http_sluice", "sendFile(res), node:http"], NAIVE, PIPE],
};

const NAMES: Record<RuntimeName, string> = {
  "node": "Node.js",
  "node-ffi": "Node.js",
  "bun": "Bun",
  "deno": "Deno",
};

/** The installed subjects of these kinds, nginx first; says on `note` what is not installed. */
export function findSubjects(
  runtimes: readonly RuntimeName[],
  kinds: readonly Kind[],
  note: (text: string) => void,
): Subject[] {
  const subjects: Subject[] = [];
  if (nginxVersion() === undefined) note(REMEDY);
  else subjects.push(nginx("on"), nginx("off"));
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) note(`${runtime} is not installed: left out`);
    else subjects.push(...FILES[runtime].map((file) => own(runtime, file)));
  }
  return subjects.filter(({ kind }) => kinds.includes(kind));
}

function nginx(sendfile: "on" | "off"): Subject {
  return {
    name: `nginx, sendfile ${sendfile}`,
    kind: sendfile === "on" ? "nginx" : "nginx-off",
    runtime: undefined,
    start: ({ files }) => startNginx(files, sendfile),
  };
}

function own(runtime: RuntimeName, [kind, file, does]: File): Subject {
  return {
    name: `${NAMES[runtime]}, ${does}`,
    kind,
    runtime,
    start(workspace) {
      const script = workspace.script(`servers/${file}`);
      return startServer(commandFor(runtime, script, [workspace.files]));
    },
  };
}
