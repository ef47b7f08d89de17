/** Texts of the command that need no run. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { loadCharts } from "../../src/cli/compare/page/charts.ts";
import { rowsOf } from "../../src/cli/compare/summary.ts";
import type { Sample } from "../../src/cli/compare/types.ts";
import { folderAt } from "../../src/cli/folder.ts";
import { program } from "../../src/cli/program.ts";
import { counted } from "../../src/cli/quantity.ts";
import { completionFor, SHELLS } from "../../src/cli/reference/completion.ts";
import { commandsOf } from "../../src/cli/reference/table.ts";
import { summaryLine } from "../../src/cli/relay/lines.ts";
import { cliPage, manPage } from "../../tools/cli_pages.ts";
import { runChild } from "../_kit/child.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);

const NO_BASH = spawnSync("bash", ["--version"]).error === undefined
  ? false
  : "bash is not installed";

const NO_SETEUID = typeof process.seteuid === "function"
  ? false
  : "this runtime cannot change its user";

describe("the words of the command", () => {
  it("counts one thing and several", () => {
    const texts = [0, 1, 2].map((count) => counted(count, "request"));
    assert.deepEqual(texts, ["0 requests", "1 request", "2 requests"]);
    const stats = { active: 0, accepted: 1, bytesUp: 1, bytesDown: 2 };
    const none = { broken: 0, idle: 0, refused: 0, unreached: 0, lastConnectError: null };
    assert.match(summaryLine({ ...stats, ...none } as never), /^1 connection {2}/);
  });

  it("names one default for each option", async () => {
    for (const command of ["compare", "serve", "relay", "copy", "doctor", "completion"]) {
      const { code, stdout } = await runChild(MAIN, { args: [command, "--help"] });
      assert.equal(code, 0);
      const options = stdout.slice(stdout.indexOf("Options:")).split(/\n {2}(?=-)/);
      for (const option of options) {
        const flat = option.replaceAll(/\s+/g, " ");
        assert.ok((flat.match(/\(default/g) ?? []).length < 2, flat);
        assert.doesNotMatch(flat, /default: (\[|undefined)/);
      }
    }
  });

  it("says that a folder may not be read, and how to see why", { skip: NO_SETEUID }, () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    const own = process.geteuid!();
    try {
      mkdirSync(join(folder, "closed"));
      chmodSync(folder, 0o755);
      chmodSync(join(folder, "closed"), 0);
      if (own === 0) process.seteuid!(65534);
      const closed = join(folder, "closed");
      for (const path of [closed, join(closed, "below")]) {
        assert.throws(() => folderAt(path, "serve"), /^Error: Cannot serve .*you may not read it/);
      }
    } finally {
      process.seteuid!(own);
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the options of the command", () => {
  const commands = commandsOf(program);
  const read = (name: string) =>
    readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

  it("stand in docs/cli.md and the man page as in the help", () => {
    assert.equal(cliPage(read("cli.md"), program), read("cli.md"), "npm run docs");
    assert.equal(manPage(program), read("sluice.1"), "npm run docs");
    for (const { name, options } of commands) {
      assert.ok(options.length > 0, name);
      for (const { flags } of options) assert.ok(read("cli.md").includes(`\`${flags}\``), flags);
    }
    assert.throws(() => cliPage("# Another page", program), /has no .*options of serve/);
  });

  it("are completed by every shell, with the values that can be chosen", () => {
    for (const shell of SHELLS) {
      const script = completionFor(shell, commands);
      for (const { arguments: values, name, options } of commands) {
        assert.ok(script.includes(name), `${shell}: ${name}`);
        for (const { choices, long } of options) {
          const named = shell === "fish" ? `-l ${long.slice(2)}` : long;
          assert.ok(script.includes(named), `${shell}: ${name} ${long}`);
          assert.ok(script.includes(choices.join(" ")), `${shell}: ${name} ${long}`);
        }
        for (const { choices } of values) assert.ok(script.includes(choices.join(" ")));
      }
      assert.doesNotMatch(script, /compare-part|undefined/);
    }
  });

  it("are completed by bash", { skip: NO_BASH }, () => {
    const complete = (...words: string[]) => {
      const script = `${completionFor("bash", commands)}
        compopt() { :; }
        COMP_WORDS=(sluice "$@") COMP_CWORD=$#; _sluice; echo "\${COMPREPLY[*]}"`;
      const { stderr, stdout } = spawnSync("bash", ["-c", script, "bash", ...words], {
        encoding: "utf8",
      });
      assert.equal(stderr, "");
      return stdout.trim();
    };
    assert.equal(complete("do"), "doctor");
    assert.equal(complete("serve", "--tls-"), "--tls-cert --tls-key");
    assert.equal(complete("copy", "--cache", ""), "keep drop");
    assert.equal(complete("copy", "--rate", ""), "");
    assert.equal(complete("completion", "b"), "bash");
    assert.equal(complete("help", "rel"), "relay");
    assert.equal(complete("serve", "pub"), "");
  });

  it("are read by zsh and fish", () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    try {
      for (const shell of ["zsh", "fish"] as const) {
        // fish reads no script from a socket, as which standard input may be passed.
        const path = join(folder, shell);
        writeFileSync(path, completionFor(shell, commands));
        const { error, status, stderr } = spawnSync(shell, ["-n", path], { encoding: "utf8" });
        // The shell may not be installed.
        if (error === undefined) assert.equal(status, 0, stderr);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("are printed by sluice help and sluice completion", async () => {
    const help = await runChild(MAIN, { args: ["help", "copy"] });
    assert.match(help.stdout, /^Usage: sluice copy [^]*--no-overwrite/);
    const script = await runChild(MAIN, { args: ["completion", "bash"] });
    assert.deepEqual([script.code, script.stdout], [0, completionFor("bash", commands)]);
    assert.equal((await runChild(MAIN, { args: ["completion", "tcsh"] })).code, 2);
  });
});

describe("the charts of sluice compare", () => {
  it("draw a bar as long as its label says, though medians do not add up", async () => {
    const rounds = [[100, 300], [200, 100], [300, 200]];
    const samples = rounds.map(([userMs, systemMs]): Sample => ({
      target: "socket",
      cache: "warm",
      method: "sendfile",
      bytes: 1e9,
      ms: 1000,
      userMs: userMs!,
      systemMs: systemMs!,
      voluntary: 0,
      involuntary: 0,
      minorFaults: 0,
      majorFaults: 0,
      peak: 0,
      growth: 0,
      cacheGrowth: 0,
      calls: {},
      intoUser: 0,
      outOfUser: 0,
      inKernel: 0,
    } as unknown as Sample));
    const [row] = rowsOf(samples, new Map());
    // 0.2 + 0.2 beside sums of 0.4, 0.3 and 0.5.
    assert.equal(row!.cpuPerGb.median, 0.4);
    const uneven = {
      ...row!,
      userPerGb: { median: 0.3, min: 0, max: 1 },
      systemPerGb: { median: 0.13, min: 0, max: 1 },
      cpuPerGb: { median: 0.28, min: 0.1, max: 0.5 },
    };
    const charts = await loadCharts();
    assert.equal(
      barEnd(charts.cpu([uneven])),
      barEnd(charts.cpu([{
        ...uneven,
        userPerGb: { ...uneven.userPerGb, median: 0.14 },
        systemPerGb: { ...uneven.systemPerGb, median: 0.14 },
      }])),
    );
  });
});

/** Where the parts of a bar end: the largest x of what has the colour of system time. */
function barEnd(svg: string): number {
  const paths = [...svg.matchAll(/<path d="([^"]+)"[^>]*fill="var\(--system\)"/g)];
  assert.ok(paths.length > 0, "no bar");
  const numbers = paths.flatMap(([, d]) => [...d!.matchAll(/[ML](\d+(?:\.\d+)?) /g)]);
  return Math.round(Math.max(...numbers.map(([, x]) => Number(x))));
}
