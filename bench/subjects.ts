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

/** Server files by runtime. `node-ffi` differs from `node` in what is ours alone. */
const FILES: Record<RuntimeName, readonly [Kind, string][]> = {
  "node": [["sluice", "http_sluice"], ["naive", "net_naive"], ["pipe", "http_pipe"]],
  "node-ffi": [["sluice", "http_sluice"]],
  "bun": [
    ["sluice", "net_sluice"],
    ["sluice", "bun_listen_sluice"],
    ["copies", "http_sluice"],
    ["naive", "net_naive"],
    ["own", "bun_serve"],
    ["pipe", "http_pipe"],
  ],
  "deno": [["sluice", "http_sluice"], ["naive", "net_naive"], ["pipe", "http_pipe"]],
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
    else subjects.push(...FILES[runtime].map(([kind, file]) => own(runtime, kind, file)));
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

function own(runtime: RuntimeName, kind: Kind, file: string): Subject {
  return {
    name: `${runtime} ${file}`,
    kind,
    runtime,
    start(workspace) {
      const script = workspace.script(`servers/${file}`);
      return startServer(commandFor(runtime, script, [workspace.files]));
    },
  };
}
