import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { startServer } from "../_kit/server.ts";

const EXPRESS = new URL("../../examples/express.ts", import.meta.url);
const DOWNLOADS = new URL("../../examples/downloads.ts", import.meta.url);

const folder = new Folder();
after(() => folder.remove());
const bytes = noise(2 * 1024 * 1024);
for (const name of ["common", "ann", "bob"]) {
  mkdirSync(join(folder.path, name));
  writeFileSync(join(folder.path, name, "file.bin"), name === "common" ? bytes : `of ${name}`);
}

describe("examples/express.ts", () => {
  it("serves a folder below a path, beside routes of its own", async () => {
    const server = await startServer(EXPRESS, [join(folder.path, "common"), "0"]);
    const { status, headers, body } = await fetchRaw(server.port, "/files/file.bin");
    assert.equal(status, 200);
    assert.equal(headers.get("cache-control"), "public, max-age=3600");
    assert.equal(sha256(body), sha256(bytes));
    const part = await fetchRaw(server.port, "/files/file.bin", { Range: "bytes=-10" });
    assert.deepEqual(part.body, bytes.subarray(-10));
    assert.match((await fetchRaw(server.port, "/")).body.toString(), /Files/);
    assert.equal((await fetchRaw(server.port, "/files/absent")).status, 404);
    server.kill("SIGKILL");
    await server.ended;
  });
});

describe("examples/downloads.ts", () => {
  const as = (user: string) => ({ Authorization: `Basic ${btoa(user)}` });

  it("gives each user what is theirs, and nobody else anything", async () => {
    const env = { USERS: "ann:secret,bob:word,eve:nothing" };
    const server = await startServer(DOWNLOADS, [folder.path, "0"], { env });
    const get = (target: string, headers: Record<string, string> = {}) =>
      fetchRaw(server.port, target, headers);
    for (const stranger of ["", "ann:", "ann:word", "carl:", ":", "ann", "ann:secret2"]) {
      const { status, headers } = await get("/files/file.bin", stranger ? as(stranger) : {});
      assert.equal(status, 401, stranger);
      assert.match(headers.get("www-authenticate")!, /^Basic/);
    }
    const { status, headers, body } = await get("/files/file.bin", as("ann:secret"));
    assert.equal(status, 200);
    assert.equal(headers.get("content-disposition"), 'attachment; filename="file.bin"');
    assert.equal(headers.get("cache-control"), "private, no-cache");
    assert.equal(sha256(body), sha256(bytes));
    const part = await get("/files/file.bin", { ...as("bob:word"), Range: "bytes=5-9" });
    assert.deepEqual(part.body, bytes.subarray(5, 10));
    assert.equal((await get("/mine/file.bin", as("ann:secret"))).body.toString(), "of ann");
    assert.equal((await get("/mine/file.bin", as("bob:word"))).body.toString(), "of bob");
    assert.equal((await get("/mine/file.bin", as("eve:nothing"))).status, 404);
    for (const target of ["/mine/../bob/file.bin", "/mine/..%2fbob%2ffile.bin", "/bob/file.bin"]) {
      assert.equal((await get(target, as("ann:secret"))).status, 404, target);
    }
    server.kill("SIGKILL");
    await server.ended;
  });
});
