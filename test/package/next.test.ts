/** A route of Next.js uses every kind of thread, in the folder that `output: "standalone"` makes. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../_kit/free_port.ts";
import { consumer, copyFolder, oncePerRun } from "../_kit/package.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FAQ = readFileSync(join(ROOT, "docs/faq.md"), "utf8");
/** A folder into which npm has installed Next.js, too. */
const BUNDLERS = process.env["SLUICE_TEST_BUNDLERS"];
const SKIP = "Bun" in globalThis || "Deno" in globalThis
  ? "Next.js runs on Node.js"
  : BUNDLERS === undefined
  ? "SLUICE_TEST_BUNDLERS names no folder"
  : false;

const FILES = {
  "package.json": `{ "private": true, "type": "module" }`,
  "app/layout.js": `export default function Layout({ children }) {
  return <html><body>{children}</body></html>;
}
`,
  "app/page.js": `export default function Page() { return <p>sluice</p>; }
`,
  "app/check/route.js": `
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyFile, createRelay } from "sluice";
import { createFileServer, fileResponse } from "sluice/http";

export const dynamic = "force-dynamic";
const root = mkdtempSync(join(tmpdir(), "sluice-next-"));
const path = join(root, "file.txt");
const text = "sluice".repeat(100_000);
writeFileSync(path, text);

export async function GET(request) {
  if (new URL(request.url).searchParams.has("file")) return fileResponse(request, path);
  const server = createFileServer({ root, threads: 2 });
  const { port } = await server.listen();
  const relay = createRelay({ listen: "127.0.0.1:0", upstream: "127.0.0.1:" + port });
  const address = await relay.listen();
  const get = async (port) => {
    const options = { cache: "no-store", headers: { connection: "close" } };
    const response = await fetch("http://127.0.0.1:" + port + "/file.txt", options);
    return (await response.text()) === text;
  };
  const outcome = { served: await get(port), relayed: await get(address.port) };
  await copyFile(path, join(root, "copy"));
  outcome.copied = readFileSync(join(root, "copy"), "utf8") === text;
  await relay.close();
  await server.close({ graceMs: 0 });
  rmSync(join(root, "copy"));
  return Response.json({ ...outcome, method: relay.method });
}
`,
};

/** The project, built once per `npm test` for each version of Node.js: the backend is no part of it. */
const OWN = process.env["SLUICE_TEST_DIR"] ?? mkdtempSync(join(tmpdir(), "sluice-"));
const PROJECT = join(OWN, `next-${process.versions.node}`);
const ENV = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };

function build(): void {
  rmSync(PROJECT, { recursive: true, force: true });
  mkdirSync(join(PROJECT, "app/check"), { recursive: true });
  // Next.js follows no link out of the project.
  const modules = join(PROJECT, "node_modules");
  copyFolder(join(BUNDLERS!, "node_modules"), modules);
  for (const name of ["sluice", "koffi", "@koromix"]) {
    const installed = join(consumer(), "node_modules", name);
    const from = existsSync(installed) ? installed : join(ROOT, "node_modules", name);
    cpSync(from, join(modules, name), { recursive: true, dereference: true });
  }
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(PROJECT, name), text);
  const [, config] = /```js\n\/\/ next\.config\.mjs\n([^]*?)```/.exec(FAQ)!;
  writeFileSync(join(PROJECT, "next.config.mjs"), config!);
  const next = join(modules, "next/dist/bin/next");
  const { status, stdout, stderr } = spawnSync(process.execPath, [next, "build"], {
    cwd: PROJECT,
    encoding: "utf8",
    env: ENV,
    timeout: 200_000,
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
}

describe("Next.js", () => {
  after(() => {
    if (process.env["SLUICE_TEST_DIR"] === undefined) rmSync(OWN, { recursive: true });
  });

  it("runs every thread from its standalone folder", { skip: SKIP }, async () => {
    oncePerRun(`Next.js on ${process.versions.node}`, build);
    const port = await freePort();
    const server = spawn(process.execPath, [join(PROJECT, ".next/standalone/server.js")], {
      env: { ...ENV, PORT: String(port), HOSTNAME: "127.0.0.1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      let printed = "";
      for await (const chunk of server.stdout) if (/Ready/.test(printed += chunk)) break;
      server.stdout.resume();
      const url = `http://127.0.0.1:${port}/check`;
      const used = { served: true, relayed: true, copied: true, method: "splice" };
      assert.deepEqual(await (await fetch(url)).json(), used);
      const part = await fetch(`${url}?file`, { headers: { Range: "bytes=6-11" } });
      assert.deepEqual([part.status, await part.text()], [206, "sluice"]);
    } finally {
      server.kill("SIGKILL");
      await once(server, "exit");
    }
  });
});
