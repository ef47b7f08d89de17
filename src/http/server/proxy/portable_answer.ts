/** Sends files and errors instead of the program if system calls are not possible. @module */

import type { IncomingMessage, ServerResponse } from "node:http";
import { giveUp, sendBody, setHead } from "../../adapters/respond.ts";
import { phraseOf, planMessage } from "../../rules/messages.ts";
import { planFile } from "../../rules/plan.ts";
import type { PortableSites } from "../sites/portable.ts";
import { type Accel, accelPath, describedBy, type Redirection } from "../response/accel.ts";

/** A request whose file should be sent. */
interface RedirectedAnswer {
  readonly accel: Accel;
  /** `null` if the redirection contradicts itself. */
  readonly redirection: Redirection | null;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly sites: PortableSites;
}

/** Sends the file that the program has named, as the server's own threads do. */
export function sendRedirected({ redirection, ...rest }: RedirectedAnswer): void {
  if (redirection === null) return refuse(rest.res, 502, {});
  send(redirection, rest).catch(() => refuse(rest.res, 500, {}));
}

async function send(
  redirection: Redirection,
  { accel, req, res, sites }: Omit<RedirectedAnswer, "redirection">,
): Promise<void> {
  const { headers } = req;
  const request = {
    method: req.method === "HEAD" ? "HEAD" : "GET",
    header: (name: string) => headers[name] as string | undefined,
  };
  const { mount, named } = sites.findBeside(req, redirection.target)!;
  const path = accelPath(redirection.target, accel, named.settings.dotfiles, mount);
  const found = typeof path === "number"
    ? { kind: "message" as const, plan: planMessage(request, path) }
    : await named.findFile(request, path);
  const file = found.kind === "file" ? found.file : undefined;
  try {
    if (res.destroyed) return;
    const plan = file === undefined
      ? found.plan
      : planFile(request, describedBy(file.described!, redirection));
    setHead(res, plan);
    // Unread bytes of the request would delay the next one.
    if (!req.complete) res.setHeader("Connection", "close");
    if (file !== undefined && redirection.cookies.length > 0) {
      res.setHeader("Set-Cookie", redirection.cookies);
    }
    await sendBody(res, plan, file);
  } catch (error) {
    // If another response is possible, the caller sends it.
    if (giveUp(res)) throw error;
  } finally {
    file?.close();
  }
}

const faults = new WeakMap<ServerResponse, string>();

/** Remembers why the program has not answered, or not to the end. */
export function noteFault(res: ServerResponse, reason: string): void {
  if (!faults.has(res)) faults.set(res, reason);
}

/** What {@linkcode noteFault} was told. */
export function faultOf(res: ServerResponse): string | undefined {
  return faults.get(res);
}

/** Sends a status and a line of text, unless a response has begun. */
export function refuse(
  res: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
): void {
  if (res.headersSent) return void res.destroy();
  const body = `${status} ${phraseOf(status)}\n`;
  const length = String(body.length);
  const type = "text/plain; charset=utf-8";
  res.writeHead(status, { ...headers, "Content-Type": type, "Content-Length": length });
  res.end(body);
}
