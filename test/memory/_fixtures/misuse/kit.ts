/** Common code of programs that misuse memory. @module */

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { MappedFile } from "../../../../src/mod.ts";

/** Runs everything, also in Workers and children. */
export const PROGRAM: URL = new URL("../misuse.ts", import.meta.url);

export const MIB: number = 2 ** 20;
export const PAGE = 4096;
export const folder: string = isMainThread ? mkdtempSync(join(tmpdir(), "sluice-")) : "";
export const path: string = join(folder, "file");
export const TYPED: RegExp =
  /^(Syscall|Type|Range|Truncated|Unsupported|Abort|DataClone|Compile)Error$/;

/** The part of WebAssembly that is used here. */
interface WasmApi {
  compile(bytes: Uint8Array): Promise<unknown>;
  instantiate(bytes: Uint8Array): Promise<{ instance: { exports: { f(): number } } }>;
  Module: new (bytes: Uint8Array) => unknown;
  Instance: new (module: unknown) => { exports: Record<string, () => number> };
  Memory: new (options: { initial: number }) => { buffer: ArrayBuffer };
}

/** `WebAssembly`, which the types of Node.js leave out. */
export const WebAssembly: WasmApi = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;

const { gc, Bun } = globalThis as unknown as {
  gc?: () => void;
  Bun?: { gc(force: true): void };
};
export const collect = (): void => Bun === undefined ? gc?.() : Bun.gc(true);

/** Does something that may fail, in a way that can be caught. */
export function tried<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    assert.match((error as Error).name, TYPED, (error as Error).stack ?? "");
    return undefined;
  }
}

/** As above, of what may also fail later. */
export async function waited(act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    assert.match((error as Error).name, TYPED, (error as Error).stack ?? "");
  }
}

export function file(size: number = 4 * MIB): string {
  writeFileSync(path, new Uint8Array(size).fill(1));
  return path;
}

export function mapped(
  access: "read" | "write" | "copy-on-write" = "write",
  size: number = 4 * MIB,
): MappedFile {
  return MappedFile.open(file(size), { access });
}

/** Functions enough to be compiled in another thread. */
export function program(count = 20_000): Uint8Array {
  const leb = (n: number): number[] => n < 128 ? [n] : [n & 127 | 128, ...leb(n >>> 7)];
  const section = (id: number, body: number[]): number[] => [id, ...leb(body.length), ...body];
  const type = section(1, [1, 0x60, 0, 1, 0x7f]);
  const functions = section(3, [...leb(count), ...new Array<number>(count).fill(0)]);
  const exported = section(7, [1, 1, 0x66, 0, 0]);
  const code = [...leb(count)];
  for (let i = 0; i < count; i++) code.push(10, 0, 0x41, 7, 0x41, 1, 0x6a, 0x1a, 0x41, 42, 0x0b);
  const out = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...functions, ...exported];
  return Uint8Array.from([...out, ...section(10, code)]);
}

export const later: Promise<unknown>[] = [];
