import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Folder, noise, sha256 } from "../_kit/bytes.ts";
import { fetchRaw, talk } from "../_kit/raw_http.ts";
import { startServer } from "../_kit/server.ts";

const EXPRESS = new URL("../../examples/express.ts", import.meta.url);
const UPLOAD = new URL("../../examples/upload.ts", import.meta.url);
const VIDEO = new URL("../../examples/video_server.ts", import.meta.url);
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

describe("examples/video_server.ts", () => {
  it("shows pages of the program, and sends what a player seeks", async () => {
    const videos = join(folder.path, "videos");
    mkdirSync(videos);
    writeFileSync(join(videos, "a <film>.mp4"), bytes);
    writeFileSync(join(videos, "notes.txt"), "no video");
    const server = await startServer(VIDEO, [videos, "0"]);
    const list = (await fetchRaw(server.port, "/")).body.toString();
    assert.match(list, /<a href="\/watch\/a%20%3Cfilm%3E\.mp4">a &#60;film&#62;\.mp4<\/a>/);
    assert.doesNotMatch(list, /notes/);
    const page = (await fetchRaw(server.port, "/watch/a%20%3Cfilm%3E.mp4")).body.toString();
    assert.match(page, /<video controls .* src="\/a%20%3Cfilm%3E\.mp4">/);
    const part = await fetchRaw(server.port, "/a%20%3Cfilm%3E.mp4", { Range: "bytes=1000000-" });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-type"), "video/mp4");
    assert.ok(part.body.equals(bytes.subarray(1_000_000)));
    assert.equal((await fetchRaw(server.port, "/watch/none.mp4")).status, 404);
    server.kill("SIGTERM");
    assert.equal(await server.ended, 0, server.output());
  });
});

describe("examples/upload.ts", () => {
  it("takes files and gives them back, and nothing outside of its folder", async () => {
    const uploads = join(folder.path, "uploads");
    mkdirSync(uploads);
    const server = await startServer(UPLOAD, [uploads, "0"]);
    const url = `http://127.0.0.1:${server.port}`;
    const put = async (path: string, body: Uint8Array, method = "PUT") => {
      const answer = await fetch(url + path, { method, body: body as Uint8Array<ArrayBuffer> });
      await answer.arrayBuffer();
      return answer.status;
    };
    for (const [name, content] of [["big.bin", bytes], ["empty", bytes.subarray(0, 0)]] as const) {
      assert.equal(await put(`/${name}`, content), 201);
      assert.ok(readFileSync(join(uploads, name)).equals(content));
      const back = await fetchRaw(server.port, `/${name}`);
      assert.ok(back.body.equals(content));
    }
    const many = Array.from({ length: 8 }, (_, i) => put(`/many${i}`, bytes.subarray(i)));
    assert.deepEqual(await Promise.all(many), many.map(() => 201));
    assert.ok(readFileSync(join(uploads, "many7")).equals(bytes.subarray(7)));
    for (const path of ["/..%2fx", "/a%2fb", "/.hidden", "/%00", "/", "/%zz"]) {
      assert.equal(await put(path, bytes.subarray(0, 9)), 400, path);
    }
    assert.equal(await put("/x", bytes.subarray(0, 9), "POST"), 405);
    assert.equal((await fetchRaw(server.port, "/absent")).status, 404);
    // A client that goes away leaves nothing behind.
    const names = readdirSync(uploads);
    await talk(server.port, "PUT /half HTTP/1.0\r\nContent-Length: 99\r\n\r\nhalf of it", {
      end: true,
    });
    for (let i = 0; i < 500 && readdirSync(uploads).length > names.length; i++) await sleep(10);
    assert.deepEqual(readdirSync(uploads), names);
    server.kill("SIGTERM");
    assert.equal(await server.ended, 0, server.output());
  });
});
