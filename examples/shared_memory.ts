/**
 * Shares memory between a parent and its children: `node examples/shared_memory.ts [CHILDREN]`, or
 * with `bun` or `deno run -A`. Each child draws the next free row of a Mandelbrot set, and the
 * parent prints the result. No pixel is sent through a pipe or socket.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MappedMemory } from "../src/mod.ts";

const WIDTH = 72;
const HEIGHT = 24;
const SHADES = " .:-=+*#%@";
/** Bytes before the picture: a counter of rows, and a counter of finished children. */
const HEADER = 8;

const [argument = "2", path] = process.argv.slice(2);
if (argument === "draw" && path !== undefined) draw(path);
else await lead(Number(argument));

async function lead(children: number): Promise<void> {
  const memory = MappedMemory.allocate(HEADER + WIDTH * HEIGHT, { name: "picture" });
  const file = fileURLToPath(import.meta.url);
  const args = "Deno" in globalThis ? ["run", "-A", "--no-check", file] : [file];
  const codes = await Promise.all(Array.from({ length: children }, async () => {
    const child = spawn(process.execPath, [...args, "draw", memory.path!], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const [code] = await once(child, "exit");
    return code;
  }));
  // The children are done. From here on, the kernel forbids writing.
  memory.seal("write");
  for (let y = 0; y < HEIGHT; y++) {
    const row = memory.view(HEADER + y * WIDTH, WIDTH);
    console.log(Array.from(row, (shade) => SHADES[shade]).join(""));
  }
  const counters = new Int32Array(memory.bytes.buffer, 0, 2);
  console.log(`${Math.min(counters[0]!, HEIGHT)} rows by ${counters[1]} children`);
  memory.close();
  process.exitCode = Math.max(...codes);
}

function draw(path: string): void {
  const memory = MappedMemory.open(path);
  const counters = new Int32Array(memory.bytes.buffer, 0, 2);
  for (let y = Atomics.add(counters, 0, 1); y < HEIGHT; y = Atomics.add(counters, 0, 1)) {
    const row = memory.view(HEADER + y * WIDTH, WIDTH);
    for (let x = 0; x < WIDTH; x++) row[x] = shadeAt(x / WIDTH * 3.2 - 2.2, y / HEIGHT * 2.4 - 1.2);
  }
  Atomics.add(counters, 1, 1);
  memory.close();
}

function shadeAt(re: number, im: number): number {
  let x = 0;
  let y = 0;
  for (let i = 0; i < 200; i++) {
    [x, y] = [x * x - y * y + re, 2 * x * y + im];
    if (x * x + y * y > 4) return Math.min(SHADES.length - 1, Math.floor(i / 2));
  }
  return 0;
}
