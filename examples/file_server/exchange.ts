/** Handles one request, from its arrival to its log line. @module */

import type { SendResult } from "../../src/mod.ts";
import { type Answer, findAnswer, type Site } from "./answer.ts";
import type { Request } from "./answer.ts";

/** A site and its current state. */
export interface Service extends Site {
  /** Number of running requests. */
  active: number;
  /** Set when the server stops: connections close after their current answer. */
  stopping: boolean;
  /** Writes a log line. */
  log(line: string): void;
}

/** How an answer was sent. */
export type Sent = Pick<SendResult, "bytes" | "method">;

/** Time without progress after which a connection is cut, in milliseconds. */
export const IDLE_MS = 60_000;

/** Answers a request by `send`, which destroys the connection if it rejects. Never rejects. */
export async function exchange(
  service: Service,
  request: Request,
  send: (answer: Answer) => Promise<Sent>,
): Promise<void> {
  const started = performance.now();
  service.active++;
  const answer = await findAnswer(service, request);
  const { status, body } = answer;
  const end = (bytes: string | number, how: string, rate = "") => {
    const ms = (performance.now() - started).toFixed(1);
    service.log(`${status} ${printable(request)} ${bytes} B ${how} ${ms} ms${rate}`);
  };
  try {
    const { bytes, method } = await send(answer);
    const perMs = bytes / (performance.now() - started);
    end(bytes, method, bytes < 1e6 ? "" : ` ${(perMs / 1000).toFixed(0)} MB/s`);
  } catch (error) {
    const { bytesMoved = 0, code, message } = error as
      & Error
      & Partial<
        { bytesMoved: number; code: string }
      >;
    const total = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    end(`${bytesMoved} of ${total}`, `cut off (${code ?? message})`);
  } finally {
    if (typeof body === "object") await body.handle.close();
    service.active--;
  }
}

/** Returns method and target without characters that could forge a line or move the cursor. */
function printable({ method, target }: Request): string {
  const hex = (character: string) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return `${method} ${target}`.replace(/[^ -~]/g, hex);
}
