/** The programs of docs/ run as they are printed there. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../_kit/free_port.ts";
import { consumer, programArgs, write } from "../_kit/package.ts";

const DOCS = new URL("../../docs/", import.meta.url);
const ROOT = new URL("../../", import.meta.url);
const LIMIT_MS = 60_000;

interface Program {
  readonly name: string;
  readonly code: string;
}

const pages = readdirSync(DOCS).filter((name) => name.endsWith(".md"));

function programs(page: string): Program[] {
  const text = readFileSync(new URL(page, DOCS), "utf8");
  return Array.from(text.matchAll(/```js\n(.*?)```/gs), ([, code], index) => ({
    name: `${page.replace(".md", "")}_${index + 1}`,
    code: code!,
  }));
}

/** Runs a program; a port that somebody else has taken meanwhile is its own affair. */
async function run(program: Program): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await runOn(program, await freePort());
    } catch (error) {
      if (tries === 3 || !/EADDRINUSE/.test(String(error))) throw error;
    }
  }
}

/** A server answers and is ended; any other program ends by itself, without a word of complaint. */
async function runOn({ name, code }: Program, port: number): Promise<void> {
  write("video.mp4", Buffer.alloc(1_000_000, "a video "));
  const file = write(`docs_${name}.mjs`, code.replaceAll("8080", String(port)));
  const child = spawn(process.execPath, programArgs(file), {
    cwd: consumer(),
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const ended = once(child, "close") as Promise<[number | null]>;
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  try {
    if (code.includes("8080")) {
      assert.ok(await answers(port, () => child.exitCode === null), errors);
      return;
    }
    const [status] = await ended;
    assert.equal(status, 0, errors);
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
    await ended;
  }
}

/** Downloads the video as soon as somebody serves it. */
async function answers(port: number, alive: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 300 && alive(); tries++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/video.mp4`);
      return response.status === 200 && (await response.arrayBuffer()).byteLength === 1_000_000;
    } catch {
      await sleep(100);
    }
  }
  return false;
}

for (const page of pages) {
  describe(`docs/${page}`, () => {
    for (const program of programs(page)) {
      it(`has a program that runs: ${program.name}`, () => run(program));
    }

    it("links to files that exist", () => {
      const text = readFileSync(new URL(page, DOCS), "utf8");
      for (const [, link] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
        if (link!.includes(":")) continue;
        assert.ok(existsSync(new URL(link!, DOCS)), link!);
      }
    });

    it("imports what the package exports", () => {
      const { exports } = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8"));
      const text = readFileSync(new URL(page, DOCS), "utf8");
      for (const [, name] of text.matchAll(/from "sluice(\/[a-z]+)?"/g)) {
        assert.ok(`.${name ?? ""}` in exports, name ?? "sluice");
      }
    });
  });
}
