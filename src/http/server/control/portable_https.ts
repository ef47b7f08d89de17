/** The runtime's own HTTPS server, with a certificate per host and reloading. @module */

import type { RequestListener, ServerOptions } from "node:http";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import { builtin } from "../../../builtins.ts";
import { UnsupportedError } from "../../../errors.ts";
import { HostTable } from "../../../tls/certificate/certificate_names.ts";
import type { TlsConfig } from "../../../tls/options.ts";
import { type PortableTls, portableTls } from "../../../tls/portable.ts";
import { PLAIN_HTTP } from "../connection/plain_http.ts";

/** The context of a host; `undefined` for the main one, which the server itself holds. */
type Contexts = HostTable<SecureContext | undefined>;

/** A server of `node:https` and its certificates. */
export class PortableHttps {
  /** The server; it does not listen yet. */
  readonly server: Server;
  readonly #config: TlsConfig;
  #contexts: Contexts;

  /**
   * Loads and checks the certificates, and creates the server.
   *
   * @throws {CertificateError} Names the file and the problem.
   * @throws {UnsupportedError} For several hosts, if the runtime supports one certificate only.
   */
  constructor(config: TlsConfig, options: ServerOptions, handler: RequestListener) {
    const loaded = portableTls(config);
    this.#config = config;
    this.#contexts = contextsOf(loaded);
    // Avoid addContext(): Deno keeps the first context of a name.
    const choose = loaded.hosts.length === 0 ? {} : {
      SNICallback: (
        host: string,
        done: (error: Error | null, context?: SecureContext) => void,
      ) => done(null, this.#contexts.find(host.toLowerCase().replace(/\.$/, ""))),
    };
    this.server = builtin("https").createServer(
      { ...options, ...loaded.options, ...choose },
      handler,
    );
    answerPlainHttp(this.server);
    if (config.ca !== null) refuseExpired(this.server);
    if (loaded.hosts.length > 0) this.#need("serve HTTPS with certificates for several hosts");
  }

  /**
   * Reloads all files.
   *
   * @throws {CertificateError} When a file is invalid; then nothing changes.
   * @throws {UnsupportedError} When the runtime cannot replace a certificate.
   */
  reload(): void {
    this.#need("read certificates again");
    const loaded = portableTls(this.#config);
    const contexts = contextsOf(loaded);
    this.server.setSecureContext(loaded.options);
    this.#contexts = contexts;
  }

  /** Bun's server keeps its initial certificate and never calls SNICallback. */
  #need(action: string): void {
    if (typeof this.server.setSecureContext === "function") return;
    throw new UnsupportedError({
      action,
      reason:
        "the HTTPS server of this runtime keeps one certificate; allow foreign functions, so " +
        "that OpenSSL can be used",
    });
  }
}

/**
 * Answers requests that were sent without TLS. Only Node.js tells them from other failures; Deno sends
 * an alert, and Bun closes.
 */
function answerPlainHttp(server: Server): void {
  /** TCP sockets by the address of the client: a TLS socket does not show the one below it. */
  const handshakes = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    const client = addressOf(socket);
    handshakes.set(client, socket);
    socket.once("close", () => {
      if (handshakes.get(client) === socket) handshakes.delete(client);
    });
  });
  server.on("secureConnection", (socket: TLSSocket) => handshakes.delete(addressOf(socket)));
  // Before the runtime's own listener, which closes the connection.
  server.prependListener("tlsClientError", (error, socket) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ERR_SSL_HTTP_REQUEST") handshakes.get(addressOf(socket))?.write(PLAIN_HTTP);
  });
}

/**
 * Ends resumed sessions whose client certificate has expired. The runtime verifies it in the first
 * handshake only.
 */
function refuseExpired(server: Server): void {
  server.prependListener("secureConnection", (socket: Partial<TLSSocket>) => {
    const validTo = socket.getPeerCertificate?.()?.valid_to;
    if (validTo !== undefined && Date.parse(validTo) < Date.now()) socket.destroy!();
  });
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function contextsOf({ hosts, names }: PortableTls): Contexts {
  const { createSecureContext } = builtin("tls");
  const others = hosts.map(({ context, names }) => ({
    names,
    value: createSecureContext(context),
  }));
  return new HostTable([{ names, value: undefined }, ...others]);
}
