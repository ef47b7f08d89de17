/** Arguments of `npm run bench`, without measuring anything. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { listFor, PEERS, selectPeers } from "../../bench/selection.ts";
import { runtime } from "../../ffi/mod.ts";

const BENCH = fileURLToPath(new URL("../../bench/run.ts", import.meta.url));
const NOT_NODE = runtime().name === "node" ? false : "bench/run.ts is a program for Node.js";

function bench(...args: string[]) {
  return spawnSync(process.execPath, [BENCH, ...args], { encoding: "utf8" });
}

describe("npm run bench -- --peers", () => {
  it("has the usual peers without a list, and those of the list with one", () => {
    assert.deepEqual([...selectPeers("serve")], ["nginx", "streams", "bun"]);
    assert.deepEqual([...selectPeers("serve", "nginx,send")], ["nginx", "send"]);
    assert.deepEqual([...selectPeers("serve", " Nginx, SEND ")], ["nginx", "send"]);
    assert.deepEqual([...selectPeers("serve", "none")], []);
    assert.deepEqual([...selectPeers("ffi")], []);
  });

  it("names what there is to choose from when it does not know one", () => {
    assert.throws(() => selectPeers("relay", "haproxy,nginx"), {
      name: "TypeError",
      message: 'Cannot run "relay" beside "nginx": expected some of haproxy,streams,c',
    });
    assert.throws(
      () => selectPeers("ffi", "c"),
      /beside "c": expected none, because it has no peers/,
    );
    assert.throws(() => selectPeers("all", "apache"), /expected some of nginx,haproxy,/);
    assert.throws(() => selectPeers("serve", ""), /beside ""/);
  });

  it("gives each of all benchmarks what it has of the list", () => {
    assert.equal(listFor("serve", "nginx,send,fio"), "nginx,send");
    assert.equal(listFor("direct", "nginx,send,fio"), "fio");
    assert.equal(listFor("ffi", "nginx"), "none");
  });
});

describe("npm run bench", () => {
  it("ends with 2 and one line for an unknown peer", { skip: NOT_NODE }, () => {
    const { status, stdout, stderr } = bench("serve", "--peers", "nginx,apache");
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^Cannot run "serve" beside "apache": expected some of nginx,.*send.*\n$/);
  });

  it("lists the peers, and which of them are installed", { skip: NOT_NODE }, () => {
    const { status, stdout } = bench("peers");
    assert.equal(status, 0);
    for (const name of Object.keys(PEERS)) assert.match(stdout, new RegExp(`^${name} `, "m"));
    assert.match(stdout, /^serve +nginx,streams,bun; when named: /m);
    assert.match(stdout, /^send +\d+\.\d+/m);
  });

  it("refuses words that it does not know, with 2", { skip: NOT_NODE }, () => {
    for (const args of [["fly"], ["serve", "--runtimes", "rhino"], ["serve", "--rounds", "0"]]) {
      const { status, stdout } = bench(...args);
      assert.equal(status, 2, args.join(" "));
      assert.equal(stdout, "");
    }
  });
});
