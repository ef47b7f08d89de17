/** Plans as responses of `fetch`. @module */

import { concat } from "../../bytes.ts";
import { TruncatedError } from "../../errors.ts";
import { WHOLE_BODY_BYTES } from "../../runtime/file_body.ts";
import { readSome } from "../../move/engine/portable_copy.ts";
import type { LookupRequest } from "../files/look_up.ts";
import type { OpenFile } from "../files/open_root.ts";
import { phraseOf, planMessage } from "../rules/messages.ts";
import type { Part, Plan, PlanRequest } from "../rules/types.ts";
import type { StaticRoot } from "../files/static_root.ts";

/** Bytes in one piece of a stream. */
const CHUNK = 256 * 1024;

/** The request, as a plan needs it. */
export function planRequestOf({ method, headers }: Request): PlanRequest {
  return { method, header: (name) => headers.get(name) };
}

/** Answers a request below a site. */
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
 * The target in the URL of a request, in origin form; `undefined` where two readers of the URL see
 * two paths. Runtimes make it of the Host field and the target, not all by parsing them,
 * and a guard may parse it or not. On a Unix socket Deno's begin with `http+unix://`.
 */
function targetOf(url: string): string | undefined {
  if (url[0] === "/") return url;
  const rest = url.replace(SCHEME_AND_HOST, "");
  const raw = rest[0] === "/" ? rest : `/${rest}`;
  if (!URL.canParse(url)) return undefined;
  const { pathname, search } = new URL(url);
  // An empty query is left out of `search`.
  return raw === pathname + search || raw === `${pathname}?` ? raw : undefined;
}

const SCHEME_AND_HOST = /^[a-z][a-z0-9+.\-]*:\/\/[^/?#]*/i;

/** Makes a response of a plan, which closes the file when it has been read or cancelled. */
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

/** The pieces of a body, in order; all of the length that was promised. */
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
        // The stream fails, so that the runtime cuts the connection.
        throw error;
      }
    },
    async cancel() {
      // Waits for a read that is under way: it has the descriptor.
      await source.return(undefined);
      file.close();
    },
  }, { highWaterMark: 0 });
}
