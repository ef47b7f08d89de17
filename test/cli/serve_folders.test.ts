import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { serve } from "../../src/cli/commands/serve.ts";
import { applyConfig, configOf } from "../../src/cli/serve/config_file.ts";
import { runChild } from "../_kit/child.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { startServer } from "../_kit/server.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);

describe("sluice serve with several folders", () => {
  let parent = "";
  before(() => {
    parent = mkdtempSync(join(tmpdir(), "sluice-folders-"));
    for (const name of ["main", "flag", "own", "host", "host-media"]) {
      mkdirSync(join(parent, name));
      writeFileSync(join(parent, name, "who.txt"), name);
    }
    const config = {
      mount: ["/media=host", "/also=own"],
      mounts: { "/own": { root: "own", cacheControl: "no-store" } },
      hosts: {
        "host.example": { root: "host", mounts: { "/media": "host-media" } },
        "plain.example": "own",
      },
    };
    writeFileSync(join(parent, "config.json"), JSON.stringify(config));
  });
  after(() => rmSync(parent, { recursive: true }));

  it("serves those of the file and of the command line", async () => {
    const flags = ["--mount", `/media=${join(parent, "flag")}`, "--cache", "1h", "--port", "0"];
    const args = ["serve", join(parent, "main"), "--config", join(parent, "config.json"), ...flags];
    const server = await startServer(MAIN, args);
    try {
      const get = async (target: string, host = "localhost") => {
        const { body, headers } = await fetchRaw(server.port, target, { Host: host });
        return `${body} ${headers.get("cache-control")}`;
      };
      const hour = "public, max-age=3600";
      assert.equal(await get("/who.txt"), `main ${hour}`);
      assert.equal(await get("/media/who.txt"), `flag ${hour}`, "the command line wins");
      assert.equal(await get("/own/who.txt"), "own no-store");
      assert.equal(await get("/who.txt", "HOST.example:80"), "host public, max-age=0");
      assert.equal(await get("/media/who.txt", "host.example"), "host-media public, max-age=0");
      assert.equal(await get("/who.txt", "plain.example"), `own ${hour}`);
      await server.printed(/\/media {2}\S+flag\n/);
      await server.printed(/host\.example {2}\S+host\n/);
    } finally {
      server.kill("SIGTERM");
      await server.ended;
    }
  });

  it("prints them as a file, and says what is wrong", async () => {
    const path = join(parent, "config.json");
    await applyConfig(serve, path);
    const printed = configOf(serve);
    assert.deepEqual(printed["mount"], [
      `/media=${join(parent, "host")}`,
      `/also=${join(parent, "own")}`,
    ]);
    assert.deepEqual(printed["mounts"], {
      "/own": { root: join(parent, "own"), cacheControl: "no-store" },
    });
    writeFileSync(path, JSON.stringify({ mounts: ["/a"] }));
    await assert.rejects(applyConfig(serve, path), /mounts must be an object/);
    writeFileSync(path, JSON.stringify({ mount: ["a=b"] }));
    await assert.rejects(applyConfig(serve, path), /mount is \["a=b"\]: Expected PATH=DIR/);
    const { code, stderr } = await runChild(MAIN, {
      args: ["serve", parent, "--port", "0", "--mount", `/x=${join(parent, "none")}`],
    });
    assert.equal(code, 1);
    assert.match(stderr, /Cannot serve .*none: there is no such folder/);
  });

  it("does not serve its own key and passwords", async () => {
    const root = join(parent, "secrets");
    mkdirSync(join(root, ".hidden"), { recursive: true });
    const files = {
      "users": "ann:{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI=",
      "auth.json": `{ "auth": "ann:secret" }`,
      "key.pem": "key",
    };
    for (const [name, text] of Object.entries(files)) {
      for (const folder of ["", ".hidden"]) writeFileSync(join(root, folder, name), text);
    }
    const other = join(parent, "main");
    const nested = join(parent, "nested.json");
    const media = { root, dotfiles: "allow" };
    const hosts = { "a.example": { root: other, mounts: { "/s": media } } };
    writeFileSync(nested, JSON.stringify({ hosts }));
    const refused: [string, string[]][] = [
      ["users", [root, "--auth-file", join(root, "users")]],
      ["users", [other, "--mount", `/s=${root}`, "--auth-file", join(root, "users")]],
      ["users", [join(root, "users"), "--auth-file", join(root, "users")]],
      [".hidden/users", [root, "--dotfiles", "--auth-file", join(root, ".hidden/users")]],
      ["auth.json", [root, "--config", join(root, "auth.json")]],
      [".hidden/users", [other, "--config", nested, "--auth-file", join(root, ".hidden/users")]],
      ["key.pem", [root, "--tls-cert", join(root, "users"), "--tls-key", join(root, "key.pem")]],
    ];
    for (const [name, args] of refused) {
      const { code, stderr } = await runChild(MAIN, { args: ["serve", ...args, "--port", "0"] });
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`clients could read ${name}, which is .*; move it out`));
    }
    const hidden = ["--config", join(root, ".hidden/auth.json")];
    const oneFile = [
      "--mount",
      `/key=${join(root, "key.pem")}`,
      "--auth-file",
      join(root, "users"),
    ];
    const allowed = [root, "--port", "0", ...hidden];
    for (const args of [allowed, [other, "--port", "0", ...oneFile]]) {
      const server = await startServer(MAIN, ["serve", ...args]);
      server.kill("SIGTERM");
      await server.ended;
    }
  });
});
