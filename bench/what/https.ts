/** `createFileServer` by TLS, beside nginx with the same library and the runtimes' own servers. @module */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasWrk, runWrk, WRK_REMEDY } from "../client/wrk.ts";
import type { Context } from "../context.ts";
import {
  commandFor,
  nginxVersion,
  type RuntimeName,
  unlimited,
  versionOf,
} from "../environment.ts";
import { cpuSeconds, memory } from "../measure/proc.ts";
import { ratios, summarize } from "../measure/stats.ts";
import { type Certificate, REMEDY, startNginx } from "../nginx.ts";
import { compilePeer } from "../peers.ts";
import { delay, PINNING, type Server, startClientProgram, startServer } from "../processes.ts";
import { type Bar, number, type Report, spread } from "../report.ts";
import type { PeerName } from "../selection.ts";
import { verify } from "../verify.ts";
import type { Workspace } from "../workspace.ts";

const KIB = 1024;
const CIPHER = "TLS_AES_128_GCM_SHA256";

/** Clients of the large file, its bytes, and how long they read from each server. */
const CLIENTS = 100;
const SIZE = 100 * KIB * KIB;
const DRAIN_SECONDS = 3;

/** Small files, over connections that stay. */
const SMALL = [["1 KiB", "1k", KIB], ["10 KiB", "10k", 10 * KIB], [
  "64 KiB",
  "64k",
  64 * KIB,
]] as const;
const CONNECTIONS = 64;
const SMALL_SECONDS = 1;

const HANDSHAKES = ["full", "resumed"] as const;
const AT_ONCE = 16;
const HANDSHAKE_SECONDS = 1;
/** Half a tick of the clock that counts CPU time. */
const LEAST_CPU_SECONDS = 0.005;

const IDLE = 10_000;
/** Descriptors that either side needs, with some to spare. */
const DESCRIPTORS = 12_000;
const SETTLE_MS = 1000;

/** Most CPU per GB beside the server of the same runtime. */
const PEERS: Partial<Record<RuntimeName, readonly Peer[]>> = {
  "node": [["streams", "https and pipe()", "https_pipe", 0.5]],
  "bun": [["bun", "Bun.serve", "bun_serve", 1]],
  "deno": [["deno", "Deno.serve", "deno_serve", 0.5]],
};

type Peer = readonly [peer: PeerName, name: string, script: string, limit: number];

interface Subject {
  readonly name: string;
  readonly kind: "ours" | "nginx" | "peer";
  readonly runtime?: RuntimeName;
  /** What ours may cost beside it. */
  readonly limit: number;
  start(workspace: Workspace): Promise<Server>;
}

/** What came of one subject, round by round. */
interface Figures {
  readonly large: { cpuPerGb: number[]; gbPerSecond: number[]; clientLoad: number[] };
  readonly small: Map<string, { perSecond: number[]; cpuMicros: number[]; p99: number[] }>;
  readonly handshakes: Map<string, { perSecond: number[]; cpuMicros: number[] }>;
  /** Kilobytes of each idle connection, and connections that were answered in the end. */
  readonly idle: { kilobytes: number[]; stayed: number[]; megabytes: number[] };
}

/** Runs the benchmark. */
export async function https(context: Context): Promise<Report> {
  const { workspace, rounds, scale, note } = context;
  if (!hasWrk()) throw new Error(WRK_REMEDY);
  const client = compilePeer(workspace, "https_client", ["ssl", "crypto"]);
  if (client === undefined) throw new Error("There is no C compiler (Debian: gcc, libssl-dev)");
  const certificate = makeCertificate(workspace);
  const ca = readFileSync(certificate.cert, "utf8");
  const opensslConfig = configureClient(workspace);
  const large = workspace.file("large", SIZE);
  const small = SMALL.map(([, name, size]) => workspace.file(name, size));

  const all: { subject: Subject; server: Server; figures: Figures }[] = [];
  for (const subject of subjectsOf(context, certificate)) {
    note(`${subject.name}: checking the bytes`);
    const server = await subject.start(workspace);
    for (const file of [large, ...small]) await verify(server.port, file, ca);
    // What is compiled while it runs is compiled before the first round.
    runWrk({ port: server.port, path: "/1k", connections: 8, seconds: 1, opensslConfig });
    if (subject.kind !== "peer") {
      const argv = [client, "full", server.port, AT_ONCE, HANDSHAKE_SECONDS].map(String);
      await startClientProgram({ argv }).result;
    }
    all.push({ subject, server, figures: noFigures() });
  }

  for (let round = 1; round <= rounds; round++) {
    // Whoever comes first pays for what the load before has left, each round somebody else.
    const first = Math.floor((round - 1) * all.length / rounds);
    const order = [...all.slice(first), ...all.slice(0, first)];
    for (const { subject, server, figures } of order) {
      await measureLarge(client, server, figures, DRAIN_SECONDS * scale);
      note(
        `round ${round}, ${subject.name}: ${number(figures.large.cpuPerGb.at(-1)!)} CPU-s/GB, ${
          number(figures.large.gbPerSecond.at(-1)!)
        } GB/s`,
      );
    }
    for (const [name, path] of SMALL) {
      for (const { server, figures } of order) {
        measureSmall(name, `/${path}`, opensslConfig, server, figures, SMALL_SECONDS * scale);
      }
      note(`round ${round}: ${name}`);
    }
    for (const kind of HANDSHAKES) {
      for (const { subject, server, figures } of order) {
        if (subject.kind === "peer") continue;
        await measureHandshakes(client, kind, server, figures, HANDSHAKE_SECONDS * scale);
      }
      note(`round ${round}: ${kind} handshakes`);
    }
  }
  for (const { server } of all) await server.stop();
  // Once: memory does not differ from round to round, and a server has to be new for it.
  const idle = Math.max(100, Math.min(IDLE, Math.round(IDLE * scale)));
  for (const { subject, figures } of all) {
    if (subject.kind === "peer") continue;
    await measureIdle(client, await subject.start(workspace), figures, idle);
    note(`${subject.name}: ${number(figures.idle.kilobytes.at(-1)!)} KB for an idle connection`);
  }
  return report(all, rounds, scale, idle);
}

function subjectsOf({ runtimes, peers, note }: Context, certificate: Certificate): Subject[] {
  const subjects: Subject[] = [];
  const { cert, key } = certificate;
  if (peers.has("nginx") && nginxVersion() === undefined) note(REMEDY);
  else if (peers.has("nginx")) {
    const tls = { ...certificate, cipher: CIPHER };
    const options = { keepsFiles: true, connections: DESCRIPTORS, tls };
    subjects.push({
      name: "nginx",
      kind: "nginx",
      limit: 1,
      start: ({ files }) => startNginx(files, "on", options),
    });
  }
  for (const runtime of runtimes) {
    if (versionOf(runtime) === undefined) {
      note(`${runtime} is not installed: left out`);
      continue;
    }
    const add = (
      name: string,
      kind: "ours" | "peer",
      limit: number,
      script: string,
      more: Record<string, string> = {},
    ) =>
      subjects.push({
        name: `${runtime} ${name}`,
        kind,
        runtime,
        limit,
        start(workspace) {
          const file = workspace.script(`servers/${script}`);
          const args = [workspace.files, cert, key, CIPHER, String(DESCRIPTORS)];
          const { argv, env } = commandFor(runtime, file, args);
          return startServer(unlimited({ argv, env: { ...env, ...more } }));
        },
      });
    add("sluice", "ours", 1, "https_sluice");
    // Without kernel TLS, sluice may prefer the OpenSSL of Node.js, which is newer.
    const system = { SLUICE_LIBSSL: "libssl.so.3" };
    if (runtime === "node") add("sluice, system's OpenSSL", "ours", 1, "https_sluice", system);
    for (const [peer, name, script, limit] of PEERS[runtime] ?? []) {
      if (peers.has(peer)) add(name, "peer", limit, script);
    }
  }
  return subjects;
}

/** An ECDSA certificate, which is what most servers have today. */
function makeCertificate({ files }: Workspace): Certificate {
  const folder = join(files, "../tls");
  mkdirSync(folder);
  const certificate = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const paths = ["-keyout", certificate.key, "-out", certificate.cert];
  const args = ["req", "-x509", ...curve, "-days", "2", ...names, ...paths];
  const { status, stderr, error } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot make a certificate: ${stderr}`, { cause: error });
  return certificate;
}

/** Has wrk offer one cipher: whoever follows the client's preferences takes it, too. */
function configureClient({ files }: Workspace): string {
  const path = join(files, "../openssl.cnf");
  writeFileSync(
    path,
    `openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = clients
[clients]
MinProtocol = TLSv1.3
Ciphersuites = ${CIPHER}
`,
  );
  return path;
}

function noFigures(): Figures {
  return {
    large: { cpuPerGb: [], gbPerSecond: [], clientLoad: [] },
    small: new Map(SMALL.map(([name]) => [name, { perSecond: [], cpuMicros: [], p99: [] }])),
    handshakes: new Map(HANDSHAKES.map((kind) => [kind, { perSecond: [], cpuMicros: [] }])),
    idle: { kilobytes: [], stayed: [], megabytes: [] },
  };
}

async function measureLarge(
  client: string,
  { port, pid }: Server,
  { large }: Figures,
  seconds: number,
): Promise<void> {
  const argv = [client, "drain", port, CLIENTS, "/large", seconds].map(String);
  const clients = startClientProgram<DrainResult>({ argv });
  await Promise.race([clients.ready, clients.result]);
  // The handshakes are behind us.
  const before = cpuSeconds(pid);
  const result = await clients.finish();
  const cpu = cpuSeconds(pid) - before;
  const gigabytes = result.bytes / 1e9;
  if (result.ended > 0 && gigabytes < result.ended * SIZE / 1e9) {
    throw new Error(`Downloads ended too early: ${JSON.stringify(result)}`);
  }
  large.cpuPerGb.push(cpu / gigabytes);
  large.gbPerSecond.push(gigabytes / result.seconds);
  large.clientLoad.push(result.cpuSeconds / result.seconds);
}

interface DrainResult {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Downloads that the server has ended. */
  readonly ended: number;
}

function measureSmall(
  name: string,
  path: string,
  opensslConfig: string,
  { port, pid }: Server,
  { small }: Figures,
  seconds: number,
): void {
  const before = cpuSeconds(pid);
  // wrk knows whole seconds only.
  const whole = Math.max(1, Math.round(seconds));
  const result = runWrk({ port, path, connections: CONNECTIONS, seconds: whole, opensslConfig });
  const cpu = cpuSeconds(pid) - before;
  if (result.errors > 0) throw new Error(`${name}: ${JSON.stringify(result)}`);
  const cell = small.get(name)!;
  cell.perSecond.push(result.perSecond);
  cell.p99.push(result.p99Ms);
  cell.cpuMicros.push(cpu * 1e6 / result.requests);
}

async function measureHandshakes(
  client: string,
  kind: string,
  { port, pid }: Server,
  { handshakes }: Figures,
  seconds: number,
): Promise<void> {
  const before = cpuSeconds(pid);
  const argv = [client, kind, port, AT_ONCE, seconds].map(String);
  type Result = { readonly done: number; readonly reused: number; readonly seconds: number };
  const result = await startClientProgram<Result>({ argv }).result;
  // A very short run may take less than the clock can tell.
  const cpu = Math.max(cpuSeconds(pid) - before, LEAST_CPU_SECONDS);
  const expected = kind === "resumed" ? result.done - AT_ONCE : 0;
  if (result.done <= AT_ONCE || result.reused !== expected) {
    throw new Error(`${kind} handshakes: ${JSON.stringify(result)}`);
  }
  const cell = handshakes.get(kind)!;
  cell.perSecond.push(result.done / result.seconds);
  cell.cpuMicros.push(cpu * 1e6 / result.done);
}

async function measureIdle(
  client: string,
  server: Server,
  { idle }: Figures,
  connections: number,
): Promise<void> {
  const connect = async (count: number) => {
    const argv = [client, "idle", server.port, count, "/1k"].map(String);
    const clients = startClientProgram<{ readonly stayed: number }>({ argv });
    await Promise.race([clients.ready, clients.result]);
    await delay(SETTLE_MS);
    return clients;
  };
  // What the first ones load and compile is no part of what each one costs.
  await (await connect(100)).finish();
  const before = memory(server.pid).resident;
  const clients = await connect(connections);
  const { resident } = memory(server.pid);
  const { stayed } = await clients.finish();
  await server.stop();
  idle.kilobytes.push((resident - before) / 1000 / connections);
  idle.megabytes.push(resident / 1e6);
  idle.stayed.push(stayed);
}

function report(
  all: readonly { readonly subject: Subject; readonly figures: Figures }[],
  rounds: number,
  scale: number,
  idle: number,
): Report {
  const perRequest = (cell: { perSecond: number[]; cpuMicros: number[]; p99?: number[] }) =>
    cell.perSecond.length === 0 ? "-" : [
      `${number(summarize(cell.perSecond).median)}/s`,
      `${number(summarize(cell.cpuMicros).median)} us`,
      ...cell.p99 === undefined ? [] : [`${number(summarize(cell.p99).median)} ms`],
    ].join("; ");
  return {
    title: "https: createFileServer by TLS beside nginx and others, one thread each",
    method: [
      `TLS 1.3 with ${CIPHER} and an ECDSA certificate. nginx, Bun and Deno use the system's OpenSSL; on Node.js, sluice uses that of Node.js where it is faster (docs/decisions/37). nginx and ours have one worker. Median (min-max) of ${rounds} interleaved rounds, each beginning with another server. ${PINNING}.`,
      `Large: ${CLIENTS} clients download ${SIZE / KIB / KIB} MiB each, and are stopped after ${
        number(DRAIN_SECONDS * scale)
      } s. They discard what arrives inside the kernel and do not decrypt; SHA-256 was checked before. Handshakes are not counted.`,
      `Small: wrk with ${CONNECTIONS} connections, kept alive: requests per second, CPU time of the server for one request, 99th percentile of the latency.`,
      `Handshakes: ${AT_ONCE} at once, each on a new connection: per second, and CPU time of the server for one.`,
      `Idle: ${idle} connections that have got one answer each: resident memory that the server has gained, for one; once, not in every round.`,
      "CPU: user and system time of all threads of the server. GB: 10^9 bytes. Ratios are taken round by round.",
    ],
    columns: [
      "server",
      "CPU-s/GB",
      "GB/s",
      ...SMALL.map(([name]) => name),
      ...HANDSHAKES.map((kind) => `${kind} handshakes`),
      "KB idle",
      "MB then",
      "client busy",
    ],
    rows: all.map(({ subject, figures }) => [
      subject.name,
      spread(summarize(figures.large.cpuPerGb)),
      spread(summarize(figures.large.gbPerSecond)),
      ...SMALL.map(([name]) => perRequest(figures.small.get(name)!)),
      ...HANDSHAKES.map((kind) => perRequest(figures.handshakes.get(kind)!)),
      ...[figures.idle.kilobytes, figures.idle.megabytes].map(([value]) =>
        value === undefined ? "-" : number(value)
      ),
      `${Math.round(summarize(figures.large.clientLoad).median * 100)} %`,
    ]),
    bars: all.filter(({ subject }) => subject.kind === "ours").flatMap(({ subject, figures }) =>
      all.filter((each) =>
        each.subject.kind === "nginx" ||
        each.subject.kind === "peer" && engineOf(each.subject) === engineOf(subject)
      ).flatMap((other) => barsBeside(subject, figures, other.subject, other.figures, idle))
    ),
    samples: all.map(({ subject: { name }, figures: { large, small, handshakes, idle } }) => ({
      name,
      large,
      small: Object.fromEntries(small),
      handshakes: Object.fromEntries(handshakes),
      idle,
    })),
  };
}

/** `node-ffi` is Node.js, too. */
function engineOf({ runtime }: Subject): string | undefined {
  return runtime === "node-ffi" ? "node" : runtime;
}

function barsBeside(
  { name: subject }: Subject,
  own: Figures,
  other: Subject,
  theirs: Figures,
  idle: number,
): Bar[] {
  const rival = other.kind === "nginx" ? other.name : other.name.split(" ").slice(1).join(" ");
  const atMost = (what: string, value: Bar["value"], limit: number): Bar => (
    { subject, what: `${what} / ${rival}`, value, limit, wanted: "at most" }
  );
  const atLeast = (what: string, value: Bar["value"]): Bar => (
    { subject, what: `${what} / ${rival}`, value, limit: 1, wanted: "at least" }
  );
  const large = atMost(
    "CPU per GB",
    ratios(own.large.cpuPerGb, theirs.large.cpuPerGb),
    other.limit,
  );
  if (other.kind === "peer") return [large];
  const speed = atLeast("GB/s", ratios(own.large.gbPerSecond, theirs.large.gbPerSecond));
  const pairs = [
    ...SMALL.map(([name]) =>
      [name, "requests", own.small.get(name)!, theirs.small.get(name)!] as const
    ),
    ...HANDSHAKES.map((kind) =>
      [kind, "handshakes", own.handshakes.get(kind)!, theirs.handshakes.get(kind)!] as const
    ),
  ];
  const stayed = summarize(own.idle.stayed);
  return [
    large,
    speed,
    ...pairs.flatMap(([name, what, ours, others]) => [
      atLeast(`${name}: ${what}`, ratios(ours.perSecond, others.perSecond)),
      atMost(`${name}: CPU`, ratios(ours.cpuMicros, others.cpuMicros), 1),
    ]),
    atMost("memory of an idle connection", ratios(own.idle.kilobytes, theirs.idle.kilobytes), 1),
    {
      subject,
      what: "idle connections that stayed",
      value: stayed,
      limit: idle,
      wanted: "at least",
    },
  ];
}
