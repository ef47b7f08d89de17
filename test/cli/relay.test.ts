import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { formatAddress } from "../../src/move/relay/endpoint.ts";
import { bytes, Rates, statusLine, summaryLine } from "../../src/cli/relay/lines.ts";
import type { RelayStats } from "../../src/mod.ts";
import { type ChildResult, commandLine, runChild } from "../_kit/child.ts";
import { Listener, Peer } from "../_kit/peer.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const LISTENING = /^Listening on 127\.0\.0\.1:(\d+), relaying to 127\.0\.0\.1:\d+\n/;

/** Gives a program a terminal: see script(1). */
const SCRIPT = "/usr/bin/script";
const NO_TERMINAL = !existsSync(SCRIPT) && "script(1) is not installed";

/** Runs the command; calls `use` once with a client and its upstream connection. */
async function run(
  flags: readonly string[],
  use: (client: Peer, server: Peer, kill: (signal: NodeJS.Signals) => void) => void,
  pattern = LISTENING,
): Promise<ChildResult> {
  const upstream = new Listener();
  const peers: Peer[] = [];
  const args = ["relay", ...flags, ":0", formatAddress(upstream.address)];
  try {
    return await runChild(MAIN, {
      args,
      timeoutMs: 60_000,
      onOutput(output, kill) {
        const match = pattern.exec(output);
        if (match === null || peers.length > 0) return;
        const client = Peer.connect({
          family: "IPv4",
          address: "127.0.0.1",
          port: Number(match[1]),
        });
        peers.push(client);
        const server = upstream.accept();
        peers.push(server);
        use(client, server, kill);
      },
    });
  } finally {
    upstream.close();
    for (const peer of peers) peer.close();
  }
}

/** The exit code; Deno reports one above 128 as the signal that it stands for. */
function exitCode({ code, signal }: ChildResult): number | null {
  return code ?? (signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : null);
}

/** Sends a word there and another one back. */
function talk(client: Peer, server: Peer): void {
  client.send("question");
  server.receives("question");
  server.send("answer");
  client.receives("answer");
}

describe("sluice relay", () => {
  it("prints where it listens, relays, and sums up after Ctrl-C", async () => {
    const result = await run([], (client, server, kill) => {
      talk(client, server);
      client.close();
      server.receivesEnd();
      server.close();
      kill("SIGINT");
    });
    assert.equal(exitCode(result), 130, result.stderr);
    assert.match(result.stdout, LISTENING);
    assert.match(result.stdout, /Closed after 1 connection {2}up 8 B {2}down 6 B\n$/);
  });

  it("lets open connections end after SIGTERM", async () => {
    const result = await run(["--threads", "2"], (client, server, kill) => {
      talk(client, server);
      kill("SIGTERM");
      setTimeout(() => {
        talk(client, server);
        client.close();
        server.close();
      }, 300);
    });
    assert.equal(exitCode(result), 143);
    assert.match(result.stdout, /Waiting up to 30 s for 1 connection/);
    assert.match(result.stdout, /up 16 B {2}down 12 B\n$/);
  });

  it("ends at once at a second Ctrl-C", async () => {
    const began = Date.now();
    const result = await run(["--grace", "600"], (client, server, kill) => {
      talk(client, server);
      kill("SIGINT");
      setTimeout(() => kill("SIGINT"), 500);
    });
    assert.equal(exitCode(result), 130);
    assert.ok(Date.now() - began < 50_000);
  });

  it("prints JSON, one object a line", async () => {
    const pattern = /"address":"127\.0\.0\.1:(\d+)"/;
    const result = await run(["--json"], (client, server, kill) => {
      talk(client, server);
      client.close();
      server.close();
      kill("SIGINT");
    }, pattern);
    assert.equal(exitCode(result), 130);
    const events = result.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(events[0].event, "listening");
    const last = events.at(-1);
    assert.deepEqual([last.event, last.accepted, last.bytesUp], ["closed", 1, 8]);
  });

  it("says what is wrong with its arguments, with exit code 2", async () => {
    for (const args of [["80", ":1"], [":0"], [":0", ":1", "--threads", "x"], [":0", ":99999"]]) {
      const { code, stderr } = await runChild(MAIN, { args: ["relay", ...args] });
      assert.equal(code, 2, `${args}: ${stderr}`);
      assert.match(stderr, /error: /);
    }
  });

  it("says why it cannot listen, with exit code 1", async () => {
    const taken = new Listener();
    const args = ["relay", formatAddress(taken.address), ":1"];
    const { code, stderr } = await runChild(MAIN, { args });
    taken.close();
    assert.equal(code, 1);
    assert.match(stderr, /^sluice: EADDRINUSE: Cannot listen on 127\.0\.0\.1:.*another port/);
  });

  it("relays between Unix sockets, and removes its path", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    const path = join(folder, "relay");
    const upstream = new Listener({ family: "Unix", path: join(folder, "upstream") });
    const args = ["relay", `unix:${path}`, formatAddress(upstream.address)];
    const peers: Peer[] = [];
    const result = await runChild(MAIN, {
      args,
      timeoutMs: 60_000,
      onOutput(_, kill) {
        if (peers.length > 0) return;
        peers.push(Peer.connect({ family: "Unix", path }));
        peers.push(upstream.accept());
        talk(peers[0]!, peers[1]!);
        for (const peer of peers) peer.close();
        kill("SIGINT");
      },
    });
    upstream.close();
    assert.equal(exitCode(result), 130, result.stderr);
    assert.match(result.stdout, /up 8 B {2}down 6 B\n$/);
    assert.deepEqual(readdirSync(folder), ["upstream"]);
    rmSync(folder, { recursive: true });
  });

  it("says what to do about a path that exists, and about one in no folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    const cases = [[folder, /EADDRINUSE.*remove/], [
      `${folder}/none/x`,
      /ENOENT.*create it/,
    ]] as const;
    for (const [path, message] of cases) {
      const { code, stderr } = await runChild(MAIN, { args: ["relay", `unix:${path}`, ":1"] });
      assert.equal(code, 1);
      assert.match(stderr, message);
    }
    rmSync(folder, { recursive: true });
  });
});

describe("sluice relay on a terminal", () => {
  it("draws a line over itself, and ends by the key", { skip: NO_TERMINAL }, async () => {
    const upstream = new Listener();
    const words = commandLine(MAIN, ["relay", ":0", formatAddress(upstream.address)]);
    const command = words.map((word) => `'${word}'`).join(" ");
    // A log would have its first line after 10 seconds only.
    const child = spawn(SCRIPT, ["--quiet", "--return", "--command", command, "/dev/null"]);
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const peers: Peer[] = [];
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const port = /Listening on 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
      if (port === undefined) return;
      if (peers.length === 0) {
        const address = { family: "IPv4", address: "127.0.0.1", port: Number(port) } as const;
        peers.push(Peer.connect(address), upstream.accept());
        talk(peers[0]!, peers[1]!);
      } else if (
        /\r1 of 1 connection {2}up .*total 14 B/.test(stripVTControlCharacters(output)) &&
        !child.stdin.closed
      ) {
        for (const peer of peers) peer.close();
        child.stdin.end("\x03");
      }
    });
    await once(child, "close");
    clearTimeout(timer);
    upstream.close();
    const text = stripVTControlCharacters(output);
    assert.match(text, /\rClosed after 1 connection {2}up 8 B {2}down 6 B\r?\n$/);
  });
});

describe("its lines", () => {
  const stats: RelayStats = {
    active: 2,
    accepted: 5,
    refused: 0,
    shed: 0,
    unreached: 0,
    lastConnectError: null,
    broken: 0,
    idle: 0,
    bytesUp: 1_234_567,
    bytesDown: 5e9,
    pipes: 0,
  };

  it("have three digits that count", () => {
    const cases = [
      [0, "0 B"],
      [999, "999 B"],
      [1000, "1.00 kB"],
      [12_345, "12.3 kB"],
      [999_600, "1.00 MB"],
      [123_456_789, "123 MB"],
      [5e12, "5.00 TB"],
    ] as const;
    for (const [count, text] of cases) assert.equal(bytes(count), text);
  });

  it("tell rates, totals, and troubles only when there are some", () => {
    const rates = new Rates(0);
    rates.take({ ...stats, bytesUp: 234_567, bytesDown: 0 }, 1000);
    const line = statusLine(stats, rates.take(stats, 3000));
    assert.equal(line, "2 of 5 connections  up 500 kB/s  down 2.50 GB/s  total 5.00 GB");
    const bad = { ...stats, unreached: 3, lastConnectError: "ECONNREFUSED", broken: 1, idle: 4 };
    assert.equal(
      summaryLine(bad),
      "5 connections  up 1.23 MB  down 5.00 GB  3 unreached (ECONNREFUSED)  1 broken  4 idle",
    );
  });
});
