/** An HTTP client that sends exactly the given bytes. @module */

import { connect } from "node:net";

/** A response as received. */
export interface RawResponse {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

const WAIT_MS = 20_000;

/**
 * Sends `text`, then closes its side with `end`; reads until the server closes, and returns all of
 * it.
 */
export function talk(
  port: number,
  text: string,
  { end = false }: { readonly end?: boolean } = {},
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.setTimeout(WAIT_MS, () => socket.destroy(new Error(`No answer to ${text}`)));
    socket.on("connect", () => end ? socket.end(text, "latin1") : socket.write(text, "latin1"));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks)));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks)));
  });
}

/** Splits the server's bytes into the responses to requests with these methods. */
export function responses(bytes: Buffer, methods: readonly string[]): RawResponse[] {
  const found: RawResponse[] = [];
  for (const method of methods) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) throw new Error(`${found.length} of ${methods.length} responses: ${bytes}`);
    const [line, ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line!)![1]);
    const headers = new Map(fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }));
    const bodiless = method === "HEAD" || status === 204 || status === 304;
    const length = bodiless ? 0 : Number(headers.get("content-length"));
    const body = bytes.subarray(end + 4, end + 4 + length);
    if (body.length !== length) throw new Error(`${body.length} of ${length} bytes of a body`);
    found.push({ status, headers, body });
    bytes = bytes.subarray(end + 4 + length);
  }
  if (bytes.length > 0) throw new Error(`${bytes.length} bytes after the last response`);
  return found;
}

/** The text of a request; the target is sent as it is. */
export function requestText(
  target: string,
  headers: Record<string, string> = {},
  method: string = "GET",
): string {
  const fields = Object.entries({ Host: "localhost", ...headers });
  return `${method} ${target} HTTP/1.1\r\n` +
    `${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** One request on a connection of its own. */
export async function fetchRaw(
  port: number,
  target: string,
  headers: Record<string, string> = {},
  method: string = "GET",
): Promise<RawResponse> {
  const text = requestText(target, { Connection: "close", ...headers }, method);
  return responses(await talk(port, text), [method])[0]!;
}
