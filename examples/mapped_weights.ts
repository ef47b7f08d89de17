/**
 * Loads the weights of a model of any size in milliseconds:
 * `node examples/mapped_weights.ts [FILE]`, or with `bun` or `deno run -A`. FILE is in the
 * safetensors format; without it, the weights are random.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Weights, writeWeights } from "./mapped_weights/safetensors.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-weights-"));
try {
  let [path] = process.argv.slice(2);
  if (path === undefined) {
    path = join(folder, "weights.safetensors");
    const shapes: Record<string, number[]> = { embedding: [4096, 1024] };
    for (let i = 0; i < 8; i++) shapes[`layers.${i}.weight`] = [1024, 1024];
    writeWeights(path, shapes);
  }
  const startMs = performance.now();
  const weights = new Weights(path);
  const loadedMs = performance.now() - startMs;
  console.log(
    `${weights.tensors.size} tensors, ${weights.length} bytes: ${loadedMs.toFixed(1)} ms`,
  );
  for (const [name, { shape, data }] of weights.tensors) {
    // Only these accesses read pages from the disk.
    console.log(`${name.padEnd(20)} [${shape.join(", ")}]  ${data[0]} ... ${data.at(-1)}`);
  }
  weights[Symbol.dispose]();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
