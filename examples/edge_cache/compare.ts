/**
 * Measures the cache beside nginx with `proxy_cache` and `proxy_cache_lock`, in one run:
 * `node examples/edge_cache/compare.ts [--seconds S]`, or with bun or `deno run -A`. Needs nginx,
 * wrk and curl.
 *
 * Hits: requests per second, and CPU time of the cache. Misses: how long 300 MB take from the origin
 * itself and through the caches, once from an origin that is as fast as it can, and once from one
 * that sends 200 MB/s. The origin is another nginx. Everything runs on this machine, in turns.
 *
 * @module
 */

import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const run = promisify(execFile);
const ROUNDS = 3;
/** Ticks of the kernel's CPU times per second. */
const TICKS = 100;
const START_MS = 10_000;
const USAGE = "Usage: compare [--seconds S]";

/** A cache under test. */
interface Subject {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

const seconds = parse();
const folder = mkdtempSync(join(tmpdir(), "sluice-edge-"));
const children: ChildProcess[] = [];
const end = () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    end();
    process.exit(130);
  });
}
try {
  await compare();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  end();
}
process.exit();

function parse(): number {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: "string", default: "3" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const seconds = Number(values.seconds);
    if (!(Number.isInteger(seconds) && seconds > 0)) throw new Error("--seconds is no number");
    for (const [program, flag] of [["nginx", "-v"], ["wrk", "-v"], ["curl", "-V"]] as const) {
      if (spawnSync(program, [flag]).error !== undefined) {
        throw new Error(`${program} is not installed`);
      }
    }
    return seconds;
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function compare(): Promise<void> {
  const files = join(folder, "files");
  mkdirSync(files);
  for (const [name, size] of [["4K", 4096], ["10M", 10_000_000], ["300M", 300_000_000]] as const) {
    writeFileSync(join(files, name), "");
    truncateSync(join(files, name), size);
  }
  const cacheable = `root ${files}; add_header Cache-Control max-age=3600;`;
  const origin = await startNginx("origin", cacheable);
  const paced = await startNginx("paced", `${cacheable} limit_rate 200m;`);
  const pairs = await Promise.all([origin, paced].map(async ({ name, port }) => ({
    origin: { name, port },
    caches: [await startCache(name, port), await startNginxCache(name, port)],
  })));
  const { caches } = pairs[0]!;
  for (const [path, clients] of [["/4K", 64], ["/10M", 8]] as const) {
    const best = caches.map(() => ({ perSecond: 0, cpu: Infinity }));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, cache] of caches.entries()) {
        const { perSecond, cpu } = await hits(cache, path, clients);
        best[i] = {
          perSecond: Math.max(best[i]!.perSecond, perSecond),
          cpu: Math.min(best[i]!.cpu, cpu),
        };
      }
    }
    for (const [i, { name }] of caches.entries()) {
      const { perSecond, cpu } = best[i]!;
      const cost = `${(cpu * 1e6).toFixed(1)} us CPU each`;
      console.log(`hits ${path}  ${name.padEnd(6)} ${perSecond.toFixed(0)} requests/s, ${cost}`);
    }
  }
  for (const { origin, caches } of pairs) {
    const all = [{ ...origin, name: "origin" }, ...caches];
    const best = all.map(() => Infinity);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, { port }] of all.entries()) {
        best[i] = Math.min(best[i]!, await time(port, `/300M?${round}`));
      }
    }
    for (const [i, { name }] of all.entries()) {
      const more = `${((best[i]! / best[0]! - 1) * 100).toFixed(1)} % more`;
      const text = i === 0 ? "" : `, ${more}`;
      console.log(`miss, ${origin.name}  ${name.padEnd(6)} ${best[i]!.toFixed(3)} s${text}`);
    }
  }
}

async function hits(
  { port, pid }: Subject,
  path: string,
  clients: number,
): Promise<{ perSecond: number; cpu: number }> {
  await time(port, path); // stores it
  const before = cpuSeconds(pid);
  const { stdout } = await run("wrk", [
    "-t1",
    `-c${clients}`,
    `-d${seconds}s`,
    `http://127.0.0.1:${port}${path}`,
  ]);
  const cpu = cpuSeconds(pid) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? NaN);
  if (/Non-2xx|read [1-9]/.test(stdout)) throw new Error(`Failed requests: ${stdout}`);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? NaN);
  return { perSecond, cpu: cpu / requests };
}

/** Fetches a file; returns the seconds that it took. */
async function time(port: number, path: string): Promise<number> {
  const url = `http://127.0.0.1:${port}${path}`;
  const { stdout } = await run("curl", ["-fsS", "-o", "/dev/null", "-w", "%{time_total}", url]);
  return Number(stdout);
}

/** CPU time of a process so far, from proc(5). */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

async function startCache(name: string, origin: number): Promise<Subject> {
  const port = await freePort();
  const file = fileURLToPath(new URL("./main.ts", import.meta.url));
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const args = ["--origin", `http://127.0.0.1:${origin}`, "--port", String(port)];
  const dir = join(folder, `cache-${name}`);
  return await start("sluice", port, process.execPath, [...deno, file, ...args, "--dir", dir]);
}

function startNginxCache(name: string, origin: number): Promise<Subject> {
  const path = join(folder, `nginx-cache-${name}`);
  return startNginx(
    "nginx",
    `location / {
      proxy_pass http://127.0.0.1:${origin};
      proxy_cache files; proxy_cache_lock on;
    }`,
    `proxy_cache_path ${path} keys_zone=files:10m max_size=10g; proxy_temp_path ${path}-temp;`,
  );
}

async function startNginx(name: string, server: string, http = ""): Promise<Subject> {
  const port = await freePort();
  const config = join(folder, `nginx-${port}.conf`);
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${config}.pid; error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; ${http}
  server { listen 127.0.0.1:${port} backlog=4096; ${server} }
}`,
  );
  return await start(name, port, "nginx", ["-p", folder, "-c", config]);
}

async function start(
  name: string,
  port: number,
  program: string,
  args: readonly string[],
): Promise<Subject> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  for (const endMs = Date.now() + START_MS;; await sleep(20)) {
    const socket = connect(port, "127.0.0.1");
    const listens = await once(socket, "connect").then(() => true, () => false);
    socket.destroy();
    if (listens) return { name, port, pid: child.pid! };
    if (child.exitCode !== null || Date.now() > endMs) throw new Error(`Cannot start ${name}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
