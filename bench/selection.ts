/** Chooses the peers of a benchmark. @module */

/** Names for `--peers`, with descriptions. */
export const PEERS = {
  "nginx": "nginx, with sendfile on, and where it matters off",
  "haproxy": "HAProxy, splicing",
  "caddy": "Caddy, one processor",
  "h2o": "h2o, one thread",
  "streams": "createReadStream().pipe(), a.pipe(b): the usual way",
  "naive": "sendfile without checking the page cache",
  "bun": "Bun.serve with Bun.file, or with a folder",
  "deno": "Deno.serve with the stream of a file",
  "send": "send, under node:http",
  "express": "express.static, which is serve-static",
  "sirv": "sirv, under node:http",
  "fastify": "@fastify/static",
  "hono": "serveStatic of Hono",
  "fio": "fio, by io_uring and by threads",
  "dd": "dd, past the page cache",
  "c": "the same calls in C",
  "python": "os.sendfile and os.splice of CPython",
  "java": "FileChannel.transferTo of Java",
} as const;

/** Name of a peer. */
export type PeerName = keyof typeof PEERS;

/** Peers of a benchmark: the usual ones, and those that must be named. */
interface Choice {
  readonly usual: readonly PeerName[];
  readonly extra?: readonly PeerName[];
}

/**
 * Peers by benchmark. Functions such as `fs.copyFile` run in sluice's process and are always there.
 */
const CHOICES: Record<string, Choice> = {
  serve: {
    usual: ["nginx", "streams", "bun"],
    extra: ["deno", "send", "express", "sirv", "fastify"],
  },
  unpinned: { usual: ["nginx"] },
  slow: { usual: ["nginx", "streams", "bun"], extra: ["send", "express", "sirv", "fastify"] },
  crowd: { usual: ["nginx"] },
  cold: { usual: ["nginx", "streams", "naive"], extra: ["bun", "send", "express", "fastify"] },
  direct: { usual: ["fio", "dd"] },
  http: { usual: ["nginx", "c", "express", "sirv", "fastify", "bun", "deno"], extra: ["send"] },
  https: { usual: ["nginx", "streams", "bun", "deno"] },
  arena: { usual: ["nginx", "caddy", "h2o", "c", "bun", "hono", "fastify"] },
  cli: { usual: ["nginx"] },
  fallback: { usual: ["nginx"] },
  middleware: { usual: ["express", "sirv", "fastify"] },
  copy: { usual: ["c"] },
  relay: { usual: ["haproxy", "streams", "c"] },
  log: { usual: ["c"] },
  transfer: { usual: ["c", "python", "java"] },
  mmap: { usual: ["c"] },
  broadcast: { usual: ["streams"] },
  growth: { usual: ["nginx"] },
};

/**
 * Returns the peers of a benchmark: the usual ones without a `list`, otherwise those of the list,
 * which may be `none`. For `all`, the list may name any peer of any benchmark.
 *
 * @throws {TypeError} When the list names a peer that the benchmark does not have.
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
      const expected = known.length === 0
        ? "none, because it has no peers"
        : `some of ${known.join(",")}`;
      throw new TypeError(`Cannot run "${what}" beside "${text}": expected ${expected}`);
    }),
  );
}

/** Returns the part of a list that a benchmark has. With `all`, each gets the same list. */
export function listFor(what: string, list: string): string {
  const { usual, extra = [] } = choiceOf(what);
  const asked = selectPeers("all", list);
  return [...usual, ...extra].filter((name) => asked.has(name)).join(",") || "none";
}

/** Returns one line per peer, and one per benchmark with peers. */
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
