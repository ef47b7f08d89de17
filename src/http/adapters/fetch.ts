/** Turns plans into `fetch` responses. @module */

import { concat } from "../../bytes.ts";
import { TruncatedError } from "../../errors.ts";
import { WHOLE_BODY_BYTES } from "../../runtime/file_body.ts";
import { readSome } from "../../move/engine/read_some.ts";
import type { LookupRequest } from "../files/look_up.ts";
import type { OpenFile } from "../files/open_root.ts";
import { phraseOf, planMessage } from "../rules/messages.ts";
import type { Part, Plan, PlanRequest } from "../rules/types.ts";
import type { StaticRoot } from "../files/static_root.ts";

/** Bytes in one chunk of a stream. */
const CHUNK = 256 * 1024;

/** Wraps a `fetch` request for planning. */
export function planRequestOf({ method, headers }: Request): PlanRequest {
  return { method, header: (name) => headers.get(name) };
}

/** Answers a request for a file below a root. */
export async function respondToFetch(site: StaticRoot, request: Request): Promise<Response> {
  const plain = planRequestOf(request);
  const original = targetOf(request.url);
  const target = original && site.below(original);
  if (target === undefined) return await toResponse(planMessage(plain, 404), undefined);
  const siteRequest: LookupRequest = { ...plain, target, original };
  const answer = await site.find(siteRequest);
  return await toResponse(answer.plan, answer.kind === "file" ? answer.file : undefined);
}

/**
 * Returns the target in a request's URL, in origin form; `undefined` if two readers of the URL
 * could see different paths. Runtimes build the URL from the Host field and the target, and not all
 * of them parse it. A guard may parse it or not. On a Unix socket, Deno's URLs begin with
 * `http+unix://`.
 */
function targetOf(url: string): string | undefined {
  if (url[0] === "/") return url;
  const rest = url.replace(SCHEME_AND_HOST, "");
  const raw = rest[0] === "/" ? rest : `/${rest}`;
  if (!URL.canParse(url)) return undefined;
  const { pathname, search } = new URL(url);
  // `search` omits an empty query.
  return raw === pathname + search || raw === `${pathname}?` ? raw : undefined;
}

const SCHEME_AND_HOST = /^[a-z][a-z0-9+.\-]*:\/\/[^/?#]*/i;

/** Builds a response from a plan. Closes the file when the body has been read or cancelled. */
export async function toResponse(
  { status, headers, parts, length }: Plan,
  file: OpenFile | undefined,
): Promise<Response> {
  const init = { status, statusText: phraseOf(status), headers: { ...headers } };
  const [part] = parts;
  if (file === undefined) return new Response((part as Uint8Array<ArrayBuffer>) ?? null, init);
  if (part === undefined) {
    file.close();
    return new Response(null, init);
  }
  if (length <= WHOLE_BODY_BYTES) {
    try {
      return new Response(await readAll(file.fd, parts, length), init);
    } finally {
      file.close();
    }
  }
  return new Response(stream(file, parts, length), init);
}

async function readAll(
  fd: number,
  parts: readonly Part[],
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const all: Uint8Array[] = [];
  for await (const bytes of pieces(fd, parts, length, WHOLE_BODY_BYTES)) all.push(bytes);
  return concat(all) as Uint8Array<ArrayBuffer>;
}

/**
 * Yields the pieces of a body in order. Throws if the file yields less than the promised length.
 */
async function* pieces(
  fd: number,
  parts: readonly Part[],
  total: number,
  chunk: number = CHUNK,
): AsyncGenerator<Uint8Array> {
  let moved = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      yield part;
      moved += part.length;
      continue;
    }
    const end = part.start + part.length;
    for (let position = part.start; position < end;) {
      const bytes = await readSome(fd, position, Math.min(chunk, end - position));
      if (bytes.length === 0) {
        const action = `send fd ${fd}`;
        throw new TruncatedError({ action, bytesMoved: moved, bytesExpected: total });
      }
      yield bytes;
      position += bytes.length;
      moved += bytes.length;
    }
  }
}

function stream(
  file: OpenFile,
  parts: readonly Part[],
  total: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const source = pieces(file.fd, parts, total);
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await source.next();
        if (!done) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
        file.close();
        controller.close();
      } catch (error) {
        file.close();
        // Fails the stream, so that the runtime cuts the connection.
        throw error;
      }
    },
    async cancel() {
      // Waits for a running read, which uses the descriptor.
      await source.return(undefined);
      file.close();
    },
  }, { highWaterMark: 0 });
}
