/** The programs of docs/ run as they are printed there. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { secureGet } from "../http/server/_tls.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { freePort } from "../_kit/free_port.ts";
import { consumer, oncePerRun, programArgs, write } from "../_kit/package.ts";

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

/** Runs a program; it handles a port in use by itself. */
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
  write("cert.pem", CERTIFICATE);
  write("key.pem", KEY);
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
      const safe = /\btls:|"node:https"/.test(code);
      const download = () => safe ? downloadSafely(port) : downloadPlainly(port);
      assert.ok(await answers(download, () => child.exitCode === null), errors);
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

/** Downloads the video as soon as a server answers. */
async function answers(download: () => Promise<number>, alive: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 300 && alive(); tries++) {
    try {
      return await download() === 1_000_000;
    } catch {
      await sleep(100);
    }
  }
  return false;
}

/** Bytes of the video, or of an error's page. */
async function downloadPlainly(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/video.mp4`);
  return response.status === 200 ? (await response.arrayBuffer()).byteLength : 0;
}

async function downloadSafely(port: number): Promise<number> {
  const { body, status } = await secureGet(port, "/video.mp4");
  return status === 200 ? body.length : 0;
}

const NO_DENO = "Bun" in globalThis || "Deno" in globalThis
  ? "tools/api_reference.ts is a program for Node.js"
  : spawnSync("deno", ["--version"]).status === 0
  ? false
  : "deno doc reads the comments";

/** Names of the headings of a page, as they stand behind "#". */
function anchors(page: URL): Set<string> {
  const text = readFileSync(page, "utf8").replaceAll(/^```[^]*?^```/gm, "");
  const titles = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, title]) => title!);
  return new Set(
    titles.map((title) =>
      title.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-")
    ),
  );
}

describe("links", () => {
  const roots = readdirSync(ROOT).filter((name) => name.endsWith(".md"));
  const references = readdirSync(new URL("api/", DOCS)).map((name) => `docs/api/${name}`);
  for (const name of [...roots, ...pages.map((page) => `docs/${page}`), ...references]) {
    it(`of ${name} lead to files and headings that exist`, () => {
      const page = new URL(name, ROOT);
      const text = readFileSync(page, "utf8").replaceAll(/^```[^]*?^```/gm, "");
      for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (link!.includes(":")) continue;
        const target = new URL(link!, page);
        const anchor = decodeURIComponent(target.hash.slice(1));
        target.hash = "";
        assert.ok(existsSync(target), link!);
        if (anchor !== "") assert.ok(anchors(target).has(anchor), link!);
      }
    });
  }
});

describe("docs/api", () => {
  it("is what the doc comments say", { skip: NO_DENO }, () => {
    oncePerRun("api", () => {
      const tool = fileURLToPath(new URL("tools/api_reference.ts", ROOT));
      const { status, stderr } = spawnSync(process.execPath, [tool, "--check"], {
        encoding: "utf8",
        env: { ...process.env, NODE_NO_WARNINGS: "1" },
      });
      assert.equal(status, 0, stderr);
    });
  });
});

for (const page of pages) {
  describe(`docs/${page}`, () => {
    for (const program of programs(page)) {
      it(`has a program that runs: ${program.name}`, () => run(program));
    }

    it("has no code that is not run", () => {
      const text = readFileSync(new URL(page, DOCS), "utf8");
      const blocks = Array.from(text.matchAll(/^```(\w*)\n.*?^```$/gms), ([, kind]) => kind!);
      assert.deepEqual(blocks.filter((kind) => !["dockerfile", "js", "sh"].includes(kind)), []);
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
