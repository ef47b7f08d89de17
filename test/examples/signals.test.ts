import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { command } from "../_kit/server.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-signals-"));
after(() => rmSync(folder, { recursive: true }));

/** Each with its arguments, and how it ends when it is asked to. */
const PROGRAMS = {
  "examples/file_server.ts": [[folder, "--port", "0"], 0],
  "examples/tcp_relay.ts": [["127.0.0.1:0", "127.0.0.1:9"], 0],
  "examples/upload.ts": [[folder, "0"], 0],
  "examples/video_server.ts": [[folder, "0"], 0],
  "src/cli/main.ts serve": [[folder, "--port", "0"], 143],
  "src/cli/main.ts relay": [["127.0.0.1:0", "127.0.0.1:9"], 143],
} as const;
const TIMES = 3;

describe("SIGTERM in the moment in which the address is printed", () => {
  for (const [program, [args, expected]] of Object.entries(PROGRAMS)) {
    it(`ends ${program} as later on`, async () => {
      const [file = "", ...first] = program.split(" ");
      const [executable, ...rest] = command(new URL(`../../${file}`, import.meta.url));
      for (let i = 0; i < TIMES; i++) {
        const child = spawn(executable!, [...rest, ...first, ...args], {
          stdio: ["ignore", "pipe", "pipe"],
        });
        const { pid } = child;
        const kill = () => child.exitCode ?? child.signalCode ?? process.kill(pid!, "SIGKILL");
        process.once("exit", kill);
        let output = "";
        let sent = false;
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding("utf8").on("data", (text: string) => {
            output += text;
            if (sent || !/"port"|127\.0\.0\.1:\d/.test(output)) return;
            sent = true;
            process.kill(pid!, "SIGTERM");
          });
        }
        const [code, signal] = await once(child, "close");
        process.off("exit", kill);
        assert.ok(sent, output);
        assert.equal(code ?? signal, expected, output);
      }
    });
  }
});
