/** The runtime's own HTTPS server, with a certificate for each host, and reading them again. @module */

import type { RequestListener, ServerOptions } from "node:http";
import type { Server } from "node:https";
import type { SecureContext } from "node:tls";
import { builtin } from "../../../builtins.ts";
import { UnsupportedError } from "../../../errors.ts";
import { HostTable } from "../../../tls/certificate/certificate_names.ts";
import type { TlsConfig } from "../../../tls/options.ts";
import { type PortableTls, portableTls } from "../../../tls/portable.ts";

/** The context of a host; `undefined` for the main one, which the server has. */
type Contexts = HostTable<SecureContext | undefined>;

/** A server of `node:https`, and its certificates. */
export class PortableHttps {
  /** Does not listen yet. */
  readonly server: Server;
  readonly #config: TlsConfig;
  #contexts: Contexts;

  /**
   * Loads and checks the certificates, and makes the server.
   *
   * @throws {CertificateError} Names the file and what is wrong.
   * @throws {UnsupportedError} When there are several hosts, and the runtime takes one certificate.
   */
  constructor(config: TlsConfig, options: ServerOptions, handler: RequestListener) {
    const loaded = portableTls(config);
    this.#config = config;
    this.#contexts = contextsOf(loaded);
    // Not addContext(): Deno keeps the first context of a name.
    const choose = loaded.hosts.length === 0 ? {} : {
      SNICallback: (
        host: string,
        done: (error: Error | null, context?: SecureContext) => void,
      ) => done(null, this.#contexts.find(host.toLowerCase())),
    };
    this.server = builtin("https").createServer(
      { ...options, ...loaded.options, ...choose },
      handler,
    );
    if (loaded.hosts.length > 0) this.#need("serve HTTPS with certificates for several hosts");
  }

  /**
   * Reads all files again.
   *
   * @throws {CertificateError} When one cannot be used; then everything stays as it was.
   * @throws {UnsupportedError} When the runtime cannot replace a certificate.
   */
  reload(): void {
    this.#need("read certificates again");
    const loaded = portableTls(this.#config);
    const contexts = contextsOf(loaded);
    this.server.setSecureContext(loaded.options);
    this.#contexts = contexts;
  }

  /** Bun's server keeps the one certificate that it is made with, and calls no SNICallback. */
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

function contextsOf({ hosts, names }: PortableTls): Contexts {
  const { createSecureContext } = builtin("tls");
  const others = hosts.map(({ context, names }) => ({
    names,
    value: createSecureContext(context),
  }));
  return new HostTable([{ names, value: undefined }, ...others]);
}
