import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchRaw } from "../../_kit/raw_http.ts";
import { startServer } from "../../_kit/server.ts";
import { type Call, parseTrace } from "../../_kit/strace.ts";

const FILE_SERVER = new URL("../../../examples/file_server.ts", import.meta.url);
const SIZE = 64 * 1024 * 1024;
/** Head, log line, wake-ups, residency probes of a byte each, and the bytes that are handed over. */
const FEW = 16 * 1024;

const CARRIERS = {
  read: ["read", "readv", "pread64", "preadv", "preadv2"],
  // send(3) is sendto(2) with no address.
  write: ["write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg"],
  kernel: ["sendfile", "splice"],
};
const TRACED = Object.values(CARRIERS).flat().join(",");

const SKIP = spawnSync("strace", ["-V"]).status === 0 ? false : "strace is not installed";

const folder = mkdtempSync(join(tmpdir(), "sluice-"));
const bytes = randomFillSync(new Uint8Array(SIZE));

before(() => {
  writeFileSync(join(folder, "big.bin"), bytes);
  writeFileSync(join(folder, "small.txt"), "warm");
});

after(() => rmSync(folder, { recursive: true }));

/** The calls of the server while one client downloads the large file. */
async function traceDownload(env: Record<string, string>): Promise<Call[]> {
  const trace = join(folder, "trace");
  // -D: the server, and not strace, is the process that we start and signal.
  // -y: each descriptor with the file behind it.
  const flags = ["-D", "-f", "-ttt", "-y", "-s", "0", "-e", `trace=${TRACED}`, "-o", trace];
  const under = ["strace", ...flags];
  const server = await startServer(FILE_SERVER, [folder, "--port", "0"], { env, under });
  // Don't measure what is loaded on the first request.
  for (const target of ["/", "/small.txt", "/none"]) await fetchRaw(server.port, target);
  const started = Date.now();
  const { body } = await fetchRaw(server.port, "/big.bin");
  await server.printed(/GET \/big\.bin \d+ B/);
  const ended = Date.now();
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0);
  assert.ok(Buffer.from(bytes).equals(body));
  const last = new RegExp(`^${server.pid} .*exited with 0`, "m");
  let text = "";
  for (let i = 0; i < 500 && !last.test(text); i++, await sleep(10)) {
    text = readFileSync(trace, "utf8");
  }
  return parseTrace(text)
    .filter(({ startedMs }) => startedMs >= started && startedMs <= ended)
    .filter(({ args }) => !isRuntimesOwnFile(args));
}

/**
 * Whether a call's first descriptor is a file on disk that is not the server's: a runtime may read
 * and write its caches of compiled code on a thread of its own at any time.
 */
function isRuntimesOwnFile(args: string): boolean {
  const path = /^\d+<(\/[^>]*)>/.exec(args)?.[1];
  return path !== undefined && !path.startsWith(folder) && !/^\/(?:dev\/|memfd:)/.test(path);
}

/** Bytes that calls of these names moved. */
function moved(calls: readonly Call[], names: readonly string[]): number {
  return calls.filter(({ name, result }) => names.includes(name) && result > 0)
    .reduce((sum, { result }) => sum + result, 0);
}

describe("proof by strace", () => {
  it("sends 64 MiB by sendfile alone, on one connection", { skip: SKIP }, async () => {
    const calls = await traceDownload({});
    const sendfiles = calls.filter(({ name }) => name === "sendfile");
    assert.equal(new Set(sendfiles.map(({ args }) => args.split(",")[0])).size, 1);
    assert.ok(Math.max(...sendfiles.map(({ result }) => result)) > 1);
    const sent = moved(sendfiles, CARRIERS.kernel);
    const [read, written] = [moved(calls, CARRIERS.read), moved(calls, CARRIERS.write)];
    const figures = `sendfile ${sent}, read ${read}, written ${written}`;
    assert.ok(sent <= SIZE && sent > SIZE - FEW, figures);
    assert.ok(read < FEW && written < FEW, figures);
    // Not one byte of the file is unaccounted for.
    assert.ok(sent + written >= SIZE, figures);
  });

  it("would have seen the bytes: without FFI they all pass by", { skip: SKIP }, async () => {
    const calls = await traceDownload({ SLUICE_FFI: "none" });
    assert.equal(moved(calls, CARRIERS.kernel), 0);
    assert.ok(moved(calls, CARRIERS.read) >= SIZE);
    assert.ok(moved(calls, CARRIERS.write) >= SIZE);
  });
});
