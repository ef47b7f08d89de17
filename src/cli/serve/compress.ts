/** `--compress` of `sluice serve`. @module */

import { openCache, usualCache } from "../compress/cache_folder.ts";
import { codecs } from "../compress/codecs.ts";
import {
  Compressor,
  type CompressorOptions,
  type Pass,
  SETTLED_MS,
} from "../compress/compressor.ts";
import type { Coding, FileServerOptions } from "../../http/mod.ts";

/** Flags about compressed versions. */
export interface CompressFlags {
  readonly compress: boolean;
  readonly compressDir?: string | undefined;
  /** Most bytes of the versions of one folder. */
  readonly compressMax: number;
}

/** A folder that is served by the command's flags. */
export interface Compressed {
  readonly root: string;
  readonly only?: string | undefined;
  readonly dotfiles: boolean;
}

/** Told what happens. */
export interface CompressReport {
  /** A pass has made versions. */
  made(pass: Pass): void;
  /** Something is missing or failed; the server continues. */
  warn(message: string): void;
}

/** A smaller file fits one packet anyway. */
const LEAST_BYTES = 1024;

/** Least time between two passes, in milliseconds, and the most of the time that passes may take. */
const PAUSE_MS = 10_000;
const SHARE = 1 / 20;

const ALL: readonly Coding[] = ["br", "zstd", "gzip"];

/** The compressed versions of all folders of the command. */
export class Compression {
  readonly #flags: CompressFlags;
  /** By the path of the cache: a folder may be served twice. */
  readonly #folders = new Map<string, CompressorOptions>();
  readonly #codecs = codecs();
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(flags: CompressFlags) {
    this.#flags = flags;
  }

  /** Adds a folder; returns the options with which the server finds its versions. */
  add({ dotfiles, only, root }: Compressed): Pick<
    FileServerOptions,
    "precompressed" | "precompressedRoot"
  > {
    const { compressDir, compressMax } = this.#flags;
    const cache = openCache(compressDir ?? usualCache(), root);
    this.#folders.set(cache.path + (only ?? ""), {
      ...{ cache, dotfiles, only, root, codecs: this.#codecs },
      minBytes: LEAST_BYTES,
      maxBytes: compressMax,
      settledMs: SETTLED_MS,
    });
    return { precompressed: true, precompressedRoot: cache.versions };
  }

  /** Makes the versions in the background, and again after changes, until {@linkcode stop}. */
  start(report: CompressReport): void {
    const missing = ALL.filter((coding) => !this.#codecs.has(coding));
    if (missing.length > 0) {
      report.warn(
        `This runtime cannot compress with ${missing.join(" and ")}; the others are made`,
      );
    }
    this.#running = this.#run(report).catch((error) => {
      if (!this.#abort.signal.aborted) {
        report.warn(`No more files are compressed: ${(error as Error).message}`);
      }
    });
  }

  /** Stops; what is not complete is removed. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(report: CompressReport): Promise<void> {
    const all = Array.from(this.#folders.values(), (options) => new Compressor(options));
    try {
      await this.#passes(all, report);
    } finally {
      for (const each of all) each.close();
    }
  }

  async #passes(all: readonly Compressor[], report: CompressReport): Promise<never> {
    const { signal } = this.#abort;
    const full = new Set<Compressor>();
    for (;;) {
      const began = performance.now();
      for (const each of all) {
        const pass = await each.run(signal);
        if (pass.made > 0) report.made(pass);
        if (!pass.full || full.has(each)) continue;
        full.add(each);
        report.warn(`Not all files are compressed: --compress-max is reached`);
      }
      const took = performance.now() - began;
      await pause(Math.max(PAUSE_MS, took / SHARE), signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
