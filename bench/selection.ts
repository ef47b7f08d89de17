/** Which peers a benchmark runs beside sluice, and what `--peers` makes of that. @module */

/** What can be named after `--peers`, and what it is. */
export const PEERS = {
  "nginx": "nginx, with sendfile on, and where it matters off",
  "haproxy": "HAProxy, splicing",
  "streams": "createReadStream().pipe(), a.pipe(b): what everybody writes",
  "naive": "sendfile without a look at the page cache",
  "bun": "Bun.serve with Bun.file, or with a folder",
  "deno": "Deno.serve with the stream of a file",
  "send": "send, under node:http",
  "express": "express.static, which is serve-static",
  "sirv": "sirv, under node:http",
  "fastify": "@fastify/static",
  "fio": "fio, by io_uring and by threads",
  "dd": "dd, past the page cache",
  "c": "the same calls in C",
  "python": "os.sendfile and os.splice of CPython",
  "java": "FileChannel.transferTo of Java",
} as const;

/** Name of a peer. */
export type PeerName = keyof typeof PEERS;

/** What one benchmark compares with: by itself, and only where it is named. */
interface Choice {
  readonly usual: readonly PeerName[];
  readonly extra?: readonly PeerName[];
}

/** By benchmark. What a program does in one process with ours, like `fs.copyFile`, is always there. */
const CHOICES: Record<string, Choice> = {
  serve: {
    usual: ["nginx", "streams", "bun"],
    extra: ["deno", "send", "express", "sirv", "fastify"],
  },
  slow: { usual: ["nginx", "streams", "bun"], extra: ["send", "express", "sirv", "fastify"] },
  crowd: { usual: ["nginx"] },
  cold: { usual: ["nginx", "streams", "naive"], extra: ["bun", "send", "express", "fastify"] },
  direct: { usual: ["fio", "dd"] },
  http: { usual: ["nginx", "express", "sirv", "fastify", "bun", "deno"], extra: ["send"] },
  https: { usual: ["nginx", "streams", "bun", "deno"] },
  fallback: { usual: ["nginx"] },
  middleware: { usual: ["express", "sirv", "fastify"] },
  relay: { usual: ["haproxy", "streams"] },
  transfer: { usual: ["c", "python", "java"] },
  mmap: { usual: ["c"] },
  broadcast: { usual: ["streams"] },
  growth: { usual: ["nginx"] },
};

/**
 * The peers of a benchmark: its usual ones without a `list`, else those of the list, which may be
 * `none`. For `all` the list may name whatever any of them has.
 *
 * @throws {TypeError} When the list names one that the benchmark does not have.
 */
export function selectPeers(what: string, list?: string): ReadonlySet<PeerName> {
  const { usual, extra = [] } = choiceOf(what);
  if (list === undefined) return new Set(usual);
  if (list === "none") return new Set();
  const known = [...usual, ...extra];
  return new Set(
    list.split(",").map((text) => {
      const name = known.find((each) => each === text.trim().toLowerCase());
      if (name !== undefined) return name;
      const expected = known.length === 0 ? "none, for it has none" : `some of ${known.join(",")}`;
      throw new TypeError(`Cannot run "${what}" beside "${text}": expected ${expected}`);
    }),
  );
}

/** What of a list a benchmark has: for one of `all`, which are given the same list. */
export function listFor(what: string, list: string): string {
  const { usual, extra = [] } = choiceOf(what);
  const asked = selectPeers("all", list);
  return [...usual, ...extra].filter((name) => asked.has(name)).join(",") || "none";
}

/** One line for each peer, and one for each benchmark that has some. */
export function describePeers(): string[] {
  return [
    ...Object.entries(PEERS).map(([name, text]) => `${name.padEnd(16)} ${text}`),
    "",
    ...Object.entries(CHOICES).map(([what, { usual, extra }]) =>
      `${what.padEnd(16)} ${usual.join(",")}${extra ? `; when named: ${extra.join(",")}` : ""}`
    ),
  ];
}

function choiceOf(what: string): Choice {
  if (what === "all") return { usual: Object.keys(PEERS) as PeerName[] };
  return CHOICES[what] ?? { usual: [] };
}
