/** Stack traces of the package name the lines of the repository. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type SourceMap, withMappings } from "../../tools/source_maps.ts";
import { VERSION } from "../../src/version.ts";
import { consumer, oncePerRun, programArgs, write } from "../_kit/package.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SOURCES = `https://raw.githubusercontent.com/sluice-io/sluice/v${VERSION}/`;
const IS_NODE = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
const ONLY_NODE = IS_NODE ? false : "Bun and Deno read source maps without a flag";

const PROGRAM = `import { MappedFile, sendFile } from "sluice";
const traces = [];
for (const call of [() => MappedFile.open("/none"), () => sendFile(-1, "/none", { start: -1 })]) {
  try {
    await call();
  } catch (error) {
    traces.push(error.stack);
  }
}
console.log(JSON.stringify([MappedFile.name, ...traces]));
`;

/** Text of a line of the repository; lines count from 1. */
function lineOf(path: string, line: number): string {
  return readFileSync(join(ROOT, path), "utf8").split("\n")[line - 1] ?? "";
}

describe("the source maps of the package", () => {
  let dist: string;

  before(() => {
    dist = join(consumer(), "node_modules/sluice/dist");
  });

  function run(text: string, ...flags: string[]) {
    const args = [...flags, ...programArgs(write("trace.mjs", text))];
    const options = { cwd: tmpdir(), encoding: "utf8", timeout: 60_000 } as const;
    return spawnSync(process.execPath, args, options);
  }

  /** The lines of the repository that a trace names, each with its function and its text. */
  function framesOf(trace: string): { name: string; path: string; text: string }[] {
    const frame =
      /^\s*at (?:async )?([\w.]+) \(\S*?githubusercontent\.com\/\S+?\/v[\d.]+\/(\S+?):(\d+)/gm;
    return [...trace.matchAll(frame)].map(([, name, path, line]) => ({
      name: name!,
      path: path!,
      text: lineOf(path!, Number(line)),
    }));
  }

  it("lead a trace to the files and lines of the repository", () => {
    const flags = IS_NODE ? ["--enable-source-maps"] : [];
    const { status, stderr, stdout } = run(PROGRAM, ...flags);
    assert.equal(status, 0, stderr);
    const [name, mapped, sent] = JSON.parse(stdout) as string[];
    assert.equal(name, "MappedFile");
    const opened = framesOf(mapped!).find(({ path }) => path.endsWith("/mapped_file.ts"));
    assert.match(opened?.name ?? mapped!, /\bopen$/);
    assert.match(opened!.text, /openFile\(/);
    const [thrown] = framesOf(sent!);
    assert.equal(thrown?.path, "src/options.ts", sent!);
    assert.match(thrown!.text, /throw new RangeError\(/);
    const called = framesOf(sent!).find(({ name }) => name === "sendFile");
    assert.match(called!.text, /checkOptions\(/);
  });

  it(
    "are not read by Node.js without its flag: names and files remain",
    { skip: ONLY_NODE },
    () => {
      const { status, stderr, stdout } = run(PROGRAM);
      assert.equal(status, 0, stderr);
      const [, mapped, sent] = JSON.parse(stdout) as string[];
      assert.match(mapped!, /^\s*at .*\bopen .*sluice\/dist\/[\w-]+\.js/m);
      assert.match(sent!, /^\s*at sendFile .*sluice\/dist\/[\w-]+\.js/m);
    },
  );

  it("serve an error that nothing catches", () => {
    const flags = IS_NODE ? ["--enable-source-maps"] : [];
    const { status, stderr } = run(
      `import { MappedFile } from "sluice";\nMappedFile.open(7n);`,
      ...flags,
    );
    assert.equal(status, 1, stderr);
    assert.match(stderr, /TypeError/);
    assert.match(stderr, /\/src\/memory\/mapping\/\w+\.ts:\d+/);
  });

  it("name the right line for every error that the package makes", () => {
    oncePerRun("source maps", () => {
      let found = 0;
      for (const name of readdirSync(dist).filter((name) => name.endsWith(".js"))) {
        const file = join(dist, `${name}.map`);
        if (!existsSync(file)) continue;
        const map = JSON.parse(readFileSync(file, "utf8")) as SourceMap;
        const { marks, text } = withMappings(readFileSync(join(dist, name), "utf8"), map.mappings);
        for (
          const { 0: made, index } of text.matchAll(/\bnew (?:\w+Error|Worker|AbortController)\(/g)
        ) {
          const mark = marks.findLast(({ at }) => at <= index);
          if (mark === undefined || mark.source < 0) continue;
          const url = map.sources[mark.source]!;
          assert.ok(url.startsWith(SOURCES), url);
          const path = url.slice(SOURCES.length);
          const line = lineOf(path, mark.line + 1);
          assert.ok(
            line.includes(made),
            `${name}, ${path}:${mark.line + 1}: ${made} is not in ${line}`,
          );
          found++;
        }
      }
      assert.ok(found > 300, `${found} errors`);
    });
  });

  it("have no text of the sources, which nobody asked for", () => {
    for (const name of readdirSync(dist).filter((name) => name.endsWith(".map"))) {
      const map = JSON.parse(readFileSync(join(dist, name), "utf8"));
      assert.ok(map.sourcesContent.every((text: unknown) => text === null), name);
      assert.deepEqual(map.names, []);
      assert.deepEqual(map.sources.filter((url: string) => /node_modules|\.\./.test(url)), []);
    }
  });
});
