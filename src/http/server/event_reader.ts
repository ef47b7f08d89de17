/** What the threads tell, as the program gets it. @module */

import type { RequestEvent } from "./log_format.ts";

/** Cuts a stream of bytes into lines, and hands each on as an event. */
export function eventReader(onRequest: (event: RequestEvent) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = "";
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const event = JSON.parse(line) as RequestEvent & { time: string | number };
      onRequest({ ...event, time: Date.parse(event.time as unknown as string) });
    }
  };
}
