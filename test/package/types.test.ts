/**
 * The declarations of the package beside those of the runtimes, and the programs of README.md in
 * TypeScript.
 *
 * `SLUICE_TEST_TYPES` lists folders, separated by ":", into which npm has installed `@types/node`,
 * `@types/bun` or `@types/deno`, each in a folder of the same name with the version behind it, such as
 * `node22`. `SLUICE_TEST_TYPESCRIPTS` lists compilers.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { consumer, oncePerRun } from "../_kit/package.ts";

const listed = (name: string) => (process.env[name] ?? "").split(":").filter(Boolean);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TYPES = listed("SLUICE_TEST_TYPES");
const COMPILERS = [join(ROOT, "node_modules/typescript"), ...listed("SLUICE_TEST_TYPESCRIPTS")];
const NO_TYPES = TYPES.length === 0 && "SLUICE_TEST_TYPES names no declarations of the runtimes";

const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** The program of README.md that begins so, with types for its parameters. */
function readme(start: string, ...types: [string, string][]): string {
  const blocks = [...README.matchAll(/```js\n(.*?)```/gs)].map(([, text]) => text!);
  const found = blocks.find((text) => text.includes(start));
  assert.ok(found !== undefined, `README.md has no program with ${start}`);
  return types.reduce((text, [parameter, type]) => {
    const place = new RegExp(`\\(${parameter}\\)(?= (?:=>|\\{))`, "g");
    assert.match(text, place);
    return text.replace(place, `(${parameter}: ${type})`);
  }, found);
}

const NODE = `
import { createServer as createServer2 } from "node:http2";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { copyFile, createReadStream, relay, sendFile, transfer } from "sluice";
import { createFileServer, serveStatic } from "sluice/http";
createServer2((_, response) => void sendFile(response, "video.mp4"));
createServer2((_, response) => void createReadStream("video.mp4").pipe(response));
const [a, b] = [connect(1), connect(2)];
void sendFile(a, new URL("file:///video.mp4"), { signal: new AbortController().signal });
void sendFile(connectTls(3), "video.mp4");
void transfer(a, b);
void relay(a, b);
void copyFile("a", "b", { onProgress: ({ bytes }) => void bytes.toFixed() });
const server = createFileServer({ root: "." });
void server.listen();
export const files = serveStatic(".");
`;

/** Programs by the declarations that they are written for. */
const PROGRAMS: Record<string, () => Record<string, string>> = {
  node: () => ({
    "readme.ts": readme("node:http"),
    "more.ts": NODE,
    "http.ts": `import { createServer } from "node:http"; import { serveStatic } from "sluice/http";
      createServer(serveStatic("."));`,
  }),
  bun: () => ({
    "readme.ts": readme("Bun.listen", ["socket", "Bun.Socket<undefined>"])
      // Bun's handlers return nothing.
      .replace("{ open, data", "{ open: (socket) => void open(socket), data"),
    "any_data.ts": readme("Bun.listen", ["socket", "Bun.Socket<{ id: number }>"])
      .replace("Bun.listen(", "Bun.listen<{ id: number }>(").replace(
        "open, data() {}",
        "open: (s) => void (s.data = { id: 1 }, open(s)), data() {}",
      ),
    "more.ts":
      `import { relay, transfer } from "sluice"; import { fileResponse, serveStatic } from "sluice/http";
      export const pass = (a: Bun.Socket, b: Bun.Socket<number>) => [relay(a, b), transfer(a, b)];
      Bun.serve({ fetch: serveStatic(".") });
      Bun.serve({ fetch: (request) => fileResponse(request, "video.mp4") });`,
  }),
  deno: () => ({
    "readme.ts": readme("Deno.listen", ["conn", "Deno.TcpConn"]),
    "more.ts":
      `import { relay, sendFile, transfer } from "sluice"; import { serveStatic } from "sluice/http";
      export const pass = (a: Deno.Conn, b: Deno.TlsConn, c: Deno.UnixConn) =>
        [relay(a, b), transfer(a, b), sendFile(b, "x"), sendFile(c, "x"), sendFile(a, "x")];
      const files = serveStatic(".");
      Deno.serve((request) => files(request));`,
  }),
};

const OPTIONS = {
  target: "ES2023",
  module: "NodeNext",
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  // The targets of the links must find this project's declarations.
  preserveSymlinks: true,
};

/** Compiles the programs for one set of declarations; returns what the compiler says. */
function compile(types: string, compiler: string): string {
  const kind = /^[a-z]+/.exec(basename(types))![0];
  const project = mkdtempSync(join(tmpdir(), "sluice-types-"));
  try {
    const modules = join(project, "node_modules");
    mkdirSync(modules);
    const installed = join(types, "node_modules");
    for (const name of readdirSync(installed)) {
      symlinkSync(join(installed, name), join(modules, name));
    }
    symlinkSync(join(consumer(), "node_modules/sluice"), join(modules, "sluice"));
    const lib = kind === "node" ? ["ES2024", "ESNext.Disposable"] : undefined;
    const programs = PROGRAMS[kind]!();
    for (const [name, text] of Object.entries(programs)) writeFileSync(join(project, name), text);
    writeFileSync(join(project, "package.json"), '{"type":"module"}');
    const compilerOptions = { ...OPTIONS, types: kind === "deno" ? ["deno", "node"] : [kind], lib };
    const config = { compilerOptions, files: Object.keys(programs) };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(compiler, "bin/tsc");
    const { stdout, status } = spawnSync(NODE_PATH, [tsc, "-p", project], { encoding: "utf8" });
    return status === 0 ? "" : stdout;
  } finally {
    rmSync(project, { recursive: true });
  }
}

/** The compilers run on Node.js, whatever runs this. */
const NODE_PATH = join(ROOT, "node_modules/node/bin/node");

describe("the declarations", () => {
  for (const types of TYPES.length > 0 ? TYPES : [""]) {
    for (const compiler of COMPILERS) {
      const name = basename(types) || "those of the runtimes";
      it(`compile beside ${name} with ${compilerName(compiler)}`, { skip: NO_TYPES }, () => {
        oncePerRun(`types ${name} ${basename(dirname(compiler))} ${basename(compiler)}`, () => {
          assert.equal(compile(types, compiler), "");
        });
      });
    }
  }
});

function compilerName(compiler: string): string {
  const { version } = JSON.parse(readFileSync(join(compiler, "package.json"), "utf8"));
  return `TypeScript ${version}`;
}
