import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Folder, noise } from "../_kit/bytes.ts";

const DENO = "Deno" in globalThis;
const BUN = "Bun" in globalThis;
const REGISTER = new URL("../../src/register.ts", import.meta.url).href;
const IMPORT = `import ${JSON.stringify(REGISTER)};`;
const BUN_NAMES = BUN && "Bun resolves the names of its own modules before the first line runs";
const LATE = !BUN && !DENO ? false : "only Node.js changes names that have been imported before";

const folder = new Folder();
after(() => folder.remove());

/** Runs a module, with `preload` before it, and returns what it printed. */
function run(source: string, preload: string[] = []): string {
  const file = folder.file(source, ".mjs");
  const args = [...(DENO ? ["run", "-A", "--no-check"] : []), ...preload, file];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    timeout: 20_000,
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

/** Prints whether a function is ours. */
const TELL = `const tell = (f) => console.log(Symbol.for("sluice.registered") in f);`;
const IMPORT_FS = `import fs from "node:fs"; ${TELL} tell(fs.createReadStream);`;
const IMPORT_NAME = `import { createReadStream } from "node:fs"; ${TELL} tell(createReadStream);`;
const IMPORT_ALL = `import * as fs from "fs"; ${TELL} tell(fs.createReadStream);`;
const REQUIRE = `import { createRequire } from "node:module"; ${TELL}
  tell(createRequire(import.meta.url)("fs").createReadStream);`;
const IMPORT_LATER =
  `const { createReadStream } = await import("node:fs"); ${TELL} tell(createReadStream);`;

describe("sluice/register", () => {
  it("reaches calls on the module object", () => {
    for (const source of [IMPORT_FS, REQUIRE]) assert.equal(run(IMPORT + source), "true", source);
  });

  it("reaches names that are imported after it, in the same program", { skip: BUN_NAMES }, () => {
    for (const source of [IMPORT_NAME, IMPORT_ALL]) {
      assert.equal(run(IMPORT + source), "true", source);
    }
  });

  it("reaches names that were imported before it", { skip: LATE }, () => {
    assert.equal(run(IMPORT_NAME.replace(TELL, `${IMPORT} ${TELL}`)), "true");
  });

  it("gives all bytes in order to a socket, whatever was read before", () => {
    const size = 1024 * 1024;
    const file = JSON.stringify(folder.file(noise(size)));
    const check = `${IMPORT}
      import { Buffer } from "node:buffer";
      import { once } from "node:events";
      import fs from "node:fs";
      import { connect, createServer } from "node:net";
      import process from "node:process";
      const server = createServer(async (socket) => {
        const stream = fs.createReadStream(${file});
        await once(stream, "readable");
        stream.pipe(socket);
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const parts = [];
      for await (const part of connect(server.address().port, "127.0.0.1")) parts.push(part);
      server.close();
      console.log(Buffer.concat(parts).equals(fs.readFileSync(${file})));
      process.exit();`;
    assert.equal(run(check), "true");
  });

  it("reaches names that are imported later", () => {
    assert.equal(run(IMPORT + IMPORT_LATER), "true");
  });

  it("reaches everything when it is preloaded", () => {
    const preload = [
      BUN || DENO ? "--preload" : "--import",
      BUN ? fileURLToPath(REGISTER) : REGISTER,
    ];
    for (const source of [IMPORT_FS, REQUIRE, IMPORT_NAME, IMPORT_ALL, IMPORT_LATER]) {
      assert.equal(run(source, preload), "true", source);
    }
  });

  it("is the same function when another copy is imported as well", () => {
    mkdirSync(`${folder.path}/copy`);
    for (const name of ["src", "ffi", "node_modules"]) {
      symlinkSync(
        fileURLToPath(new URL(`../../${name}`, import.meta.url)),
        `${folder.path}/copy/${name}`,
      );
    }
    const copy = `${pathToFileURL(`${folder.path}/copy/src/register.ts`).href}?copy`;
    const source = `import fs from "node:fs";
      const original = fs.createReadStream;
      await import(${JSON.stringify(REGISTER)});
      const first = fs.createReadStream;
      await import(${JSON.stringify(copy)});
      console.log(first !== original, fs.createReadStream === first);`;
    assert.equal(run(source), "true true");
  });

  it("leaves reading as it was", () => {
    const file = JSON.stringify(folder.file("content"));
    const source = `import fs from "node:fs";
      for await (const part of fs.createReadStream(${file}, "utf8")) console.log(part);
      fs.createReadStream("/nowhere").on("error", ({ code }) => console.log(code));`;
    assert.equal(run(IMPORT + source), "content\nENOENT");
  });
});
