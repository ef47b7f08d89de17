/** The assets of a web site, with precompressed ones beside them. @module */

import { createHash, randomFillSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { request as send } from "node:http";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gzipSync } from "node:zlib";

const KB = 1000;

/** Endings and sizes in KB: texts, which have a `.br` and a `.gz` beside them, and others. */
const TEXTS = [
  ["css", 2],
  ["css", 6],
  ["css", 12],
  ["css", 25],
  ["css", 40],
  ["html", 3],
  ["html", 8],
  ["js", 5],
  ["js", 16],
  ["js", 48],
  ["js", 120],
  ["js", 300],
  ["svg", 4],
  ["svg", 30],
  ["json", 10],
] as const;
const OTHERS = [["woff2", 20], ["woff2", 35], ["webp", 45], ["webp", 90], ["webp", 200]] as const;

/** What a client asks for. */
export const ACCEPTED: string = "br;q=1, gzip;q=0.8";

/** The same for servers that do not understand weights. */
export const WITHOUT_WEIGHTS: string = "br, gzip";

/** A file, and what arrives of it once it is decompressed. */
export interface Asset {
  readonly path: string;
  readonly size: number;
  readonly compressed: boolean;
  readonly sha256: string;
}

/** Writes the files into a new folder. */
export function writeAssets(folder: string): Asset[] {
  mkdirSync(folder);
  const all = [
    ...TEXTS.map(([type, kb]) => ({ type, bytes: text(kb * KB), compressed: true })),
    ...OTHERS.map(([type, kb]) => ({
      type,
      bytes: randomFillSync(new Uint8Array(kb * KB)),
      compressed: false,
    })),
  ];
  return all.map(({ type, bytes, compressed }, index) => {
    const name = `asset-${index}.${type}`;
    const path = join(folder, name);
    writeFileSync(path, bytes);
    if (compressed) {
      writeFileSync(`${path}.br`, brotliCompressSync(bytes));
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    }
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { path: `/${name}`, size: bytes.length, compressed, sha256 };
  });
}

/** Words in random order, which compress about as well as a script does. */
function text(length: number): Uint8Array {
  const words = Array.from({ length: 400 }, (_, index) => (index * 7919 + 37).toString(36));
  const picks = randomFillSync(new Uint16Array(length));
  let all = "";
  for (let i = 0; all.length < length; i++) {
    all += `${words[picks[i]! % words.length]!}${i % 9 === 8 ? ";\n" : " "}`;
  }
  return new TextEncoder().encode(all.slice(0, length));
}

/**
 * Asks for all assets, and checks that texts arrive compressed by Brotli and that all are right.
 *
 * @throws {Error} When one is not.
 */
export async function verifyAssets(
  port: number,
  assets: readonly Asset[],
  accepted: string,
): Promise<void> {
  for (const { compressed, path, sha256 } of assets) {
    const { body, encoding, status } = await fetchRaw(port, path, accepted);
    const bytes = encoding === "br" ? brotliDecompressSync(body) : body;
    const found = createHash("sha256").update(bytes).digest("hex");
    if (status !== 200 || found !== sha256 || (encoding === "br") !== compressed) {
      throw new Error(`Port ${port} answers ${path} with ${status}, ${encoding}, SHA-256 ${found}`);
    }
  }
}

function fetchRaw(
  port: number,
  path: string,
  accepted: string,
): Promise<{ body: Uint8Array; encoding: string | undefined; status: number }> {
  return new Promise((resolve, reject) => {
    const headers = { "Accept-Encoding": accepted };
    send({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      const parts: Uint8Array[] = [];
      response.on("data", (part: Uint8Array) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const encoding = response.headers["content-encoding"];
        resolve({ body: Buffer.concat(parts), encoding, status: response.statusCode! });
      });
    }).on("error", reject).end();
  });
}
