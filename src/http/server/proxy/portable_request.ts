/** Requests to the program by `node:http` and `node:https`, where no system call can be made. @module */

import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { builtin } from "../../../builtins.ts";
import { UnsupportedError } from "../../../errors.ts";
import { hostOfAddress, resolveAll } from "../../../move/relay/endpoint.ts";
import type { SocketAddress } from "../../../sys/net/address.ts";
import { type Pem, pemOf } from "../../../tls/certificate/pem_source.ts";
import { identityFault, isAddress, type ServerIdentity } from "../../../tls/client/identity.ts";
import { systemTrust } from "../../../tls/client/trust.ts";
import { authoritiesOf } from "../../../tls/portable.ts";
import { splitTarget } from "../../rules/target.ts";
import type { FallbackChoice } from "./options.ts";

/** A name, so that lookup() is asked: the runtimes then try all addresses of the program. */
const ANY_NAME = "program.invalid";

/** Makes requests to one program. */
export class PortableRequests {
  readonly #config: FallbackChoice;
  /** Requests that were given up. */
  readonly #timedOut = new WeakSet<ClientRequest>();
  /** Addresses of the program, once they have been looked up. */
  #addresses: Promise<SocketAddress[]> | undefined;
  #secure: object | undefined;

  /**
   * Reads who is trusted, where the program is reached by HTTPS.
   *
   * @throws {CertificateError} When a file cannot be used.
   */
  constructor(config: FallbackChoice) {
    this.#config = config;
    this.reload();
  }

  /** Reads again who is trusted. */
  reload(): void {
    const { tls, to } = this.#config;
    if (tls === null || "path" in to) return;
    // An address is no name for SNI: the certificate must be for the host that is connected to.
    const name = isAddress(tls.serverName) ? { host: to.host } : { servername: tls.serverName };
    this.#secure = { ...name, ...secureOptions(tls) };
  }

  /** Gives the addresses of the program, whatever the name, as `dns.lookup()` does with `all`. */
  readonly #lookup = (
    _name: string,
    _options: unknown,
    callback: (error: Error | null, addresses: { address: string; family: number }[]) => void,
  ): void => {
    this.#addresses ??= resolveAll(this.#config.to);
    this.#addresses.then(
      (addresses) => callback(null, addresses.flatMap(lookedUp)),
      (error: Error) => {
        this.#addresses = undefined;
        callback(error, []);
      },
    );
  };

  /** Begins a request. It is given up when nothing comes for `silenceMs`. */
  request(req: IncomingMessage, headers: string[]): ClientRequest {
    const { silenceMs, to } = this.#config;
    const where = "path" in to
      ? { socketPath: to.path }
      : { host: ANY_NAME, port: to.port, lookup: this.#lookup, ...this.#secure };
    const { method } = req;
    const parts = splitTarget(req.url ?? "");
    const path = parts === 400 ? req.url : parts.path + parts.query;
    const options = { ...where, agent: false as const, headers, method, path, setHost: false };
    const { request: make } = builtin(this.#secure === undefined ? "http" : "https");
    const request = make(options as RequestOptions);
    const giveUp = () => {
      this.#timedOut.add(request);
      request.destroy(new Error("The program says nothing"));
    };
    request.setTimeout(silenceMs, giveUp);
    if (this.#secure !== undefined) limitStart(req, request, silenceMs, giveUp);
    return request;
  }

  /** Status for a request that has failed, and why it has. */
  faultOf(request: ClientRequest, error: Error): { status: 502 | 504; reason: string } {
    const { silenceMs, tls } = this.#config;
    if (this.#timedOut.has(request)) {
      return { status: 504, reason: `it was silent for ${silenceMs} ms` };
    }
    const { code = "", message } = error as NodeJS.ErrnoException;
    const text = message.split("\n", 1)[0]!;
    const known = tls === null ? text : identityFault(`${code} ${text}`, tls);
    return { status: 502, reason: known === `${code} ${text}` ? text : known };
  }
}

/** Bun's `setTimeout()` of a request does not run during the handshake. */
function limitStart(
  req: IncomingMessage,
  request: ClientRequest,
  silenceMs: number,
  giveUp: () => void,
): void {
  let timer = setTimeout(giveUp, silenceMs);
  const stop = () => clearTimeout(timer);
  req.on("data", () => {
    stop();
    timer = setTimeout(giveUp, silenceMs);
  });
  for (const event of ["response", "upgrade", "error", "close"]) {
    request.on(event, () => {
      stop();
      req.off("data", stop);
    });
  }
}

/** Options of `https.request()`. */
function secureOptions({ ca, verify }: ServerIdentity): object {
  const trusted = ca ?? systemPem();
  return {
    rejectUnauthorized: verify,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    ...(verify && trusted !== undefined && { ca: authoritiesOf(trusted) }),
  };
}

/** Whom the system trusts; `undefined` leaves it to the runtime's own list. */
function systemPem(): Pem | undefined {
  try {
    return pemOf(systemTrust(), "certificates that this system trusts", "fallback.ca");
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  }
}

function lookedUp(address: SocketAddress): { address: string; family: number }[] {
  if (address.family === "Unix") return [];
  return [{ address: hostOfAddress(address), family: address.family === "IPv6" ? 6 : 4 }];
}
