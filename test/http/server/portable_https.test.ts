/** HTTPS by the runtime's own server, as it is where no foreign function can be called. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { existsSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { configure } from "../../../src/http/server/control/options.ts";
import type { TlsOptions } from "../../../src/http/mod.ts";
import { COUNTERS } from "../../../src/http/server/control/config.ts";
import {
  listenPortably,
  type PortableServer,
} from "../../../src/http/server/control/portable_server.ts";
import { selfSigned } from "../../../src/tls/certificate/self_signed.ts";
import { fetchRaw } from "../../_kit/raw_http.ts";
import { Certificates, NO_OPENSSL } from "../../tls/_certificates.ts";
import { startProgram } from "./_program.ts";
import { LARGE_BYTES, makeSite, patterned, TWENTY } from "./_site.ts";
import { secureClient, secureGet } from "./_tls.ts";

const ONE_CERTIFICATE = "Bun" in globalThis &&
  "Bun's HTTPS server keeps the one certificate it has";
/** Their servers do not tell a request without TLS from any other failure. */
const NO_REASON = ("Bun" in globalThis || "Deno" in globalThis) &&
  "the runtime does not say why the handshake failed";
/** Deno's client refuses such a name, Bun's server has no other certificate. */
const NO_FINAL_DOT = "Bun" in globalThis || "Deno" in globalThis;
/** Why the end of a client's certificate cannot be tried. */
const NO_CLIENT_CERTIFICATES = "Deno" in globalThis
  ? "Deno's own server ends the connection of each client that it asks for a certificate"
  : "Bun" in globalThis
  ? "Bun's own server goes on with the session of a client whose certificate has expired"
  : NO_OPENSSL;
const ANY = { rejectUnauthorized: false };

/** Validity of a certificate that must last for two handshakes on a busy machine, in seconds. */
const SHORT_SECONDS = 10;

/** Asks for a file by `openssl s_client`; resolves with everything that it prints. */
async function ask(port: number, args: readonly string[]): Promise<string> {
  const child = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...args]);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  child.stdin.on("error", () => {});
  child.stdin.write("GET /file.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await once(child, "close");
  clearTimeout(timer);
  return output;
}

describe("HTTPS without foreign functions", () => {
  const site = makeSite();
  let server: PortableServer;
  let port = 0;

  /** Writes a new certificate for a host; returns its fingerprint. */
  function renew(host: string): string {
    const { cert, key } = selfSigned([host], 30);
    writeFileSync(join(site.root, `.${host}.pem`), cert);
    writeFileSync(join(site.root, `.${host}.key`), key);
    return new X509Certificate(cert).fingerprint256;
  }

  const listen = (tls: TlsOptions, more: { fallback?: string } = {}) =>
    listenPortably(configure({ root: site.root, tls, ...more }), new Float64Array(COUNTERS), "");

  const files = (host: string) => ({
    cert: join(site.root, `.${host}.pem`),
    key: join(site.root, `.${host}.key`),
  });

  async function shown(servername: string): Promise<string> {
    const socket = await secureClient(port, { ...ANY, servername });
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  }

  before(async () => {
    for (const host of ["localhost", "other.example"]) renew(host);
    const hosts = ONE_CERTIFICATE ? [] : [files("other.example")];
    server = await listen({ ...files("localhost"), hosts, hsts: true });
    ({ port } = server.address as { port: number });
  });
  after(async () => {
    server.cut();
    await server.close();
    site.remove();
  });

  it("sends files and ranges, and asks browsers to stay", async () => {
    const small = await secureGet(port, "/file.txt", {}, ANY);
    assert.equal(small.body.toString(), TWENTY);
    assert.equal(small.headers.get("strict-transport-security"), "max-age=63072000");
    const { body } = await secureGet(port, "/large.bin", {}, ANY);
    assert.deepEqual(new Uint8Array(body), patterned(LARGE_BYTES));
    const part = await secureGet(port, "/large.bin", { Range: "bytes=5-9" }, ANY);
    assert.deepEqual([part.status, part.body.length], [206, 5]);
  });

  it("says to a client of HTTP that this is HTTPS", { skip: NO_REASON }, async () => {
    const { status, body } = await fetchRaw(port, "/file.txt");
    assert.equal(status, 400);
    assert.match(body.toString("latin1"), /HTTPS/);
    assert.equal((await secureGet(port, "/file.txt", {}, ANY)).status, 200);
  });

  it("asks browsers to stay in the name of the program, unless that says so itself", async () => {
    const program = await startProgram((socket, request) => {
      if (!request.includes("\r\n\r\n")) return;
      const own = request.startsWith("GET /own") ? "strict-transport-security: max-age=1\r\n" : "";
      socket.end(`HTTP/1.1 404 Not Found\r\n${own}Content-Length: 2\r\n\r\nno`);
    });
    const fallback = `127.0.0.1:${program.port}`;
    const front = await listen({ ...files("localhost"), hsts: 60 }, { fallback });
    try {
      const { port } = front.address as { port: number };
      for (const [target, value] of [["/x", "max-age=60"], ["/own", "max-age=1"]] as const) {
        const { headers } = await secureGet(port, target, {}, ANY);
        assert.equal(headers.get("strict-transport-security"), value, target);
      }
    } finally {
      front.cut();
      await front.close();
      await program.close();
    }
  });

  it("chooses the certificate by the host, and reads all of them again", {
    skip: ONE_CERTIFICATE,
  }, async () => {
    for (let round = 0; round < 2; round++) {
      const [own, other] = [renew("localhost"), renew("other.example")];
      server.reload();
      assert.equal(await shown("localhost"), own, "the main one");
      assert.equal(await shown("other.example"), other, "of another host");
      assert.equal(await shown("unknown.example"), own, "the default");
      if (!NO_FINAL_DOT) {
        assert.equal(await shown("Other.Example."), other, "as some clients write it");
      }
    }
  });

  it(
    "ends sessions of clients whose certificates expire",
    { skip: NO_CLIENT_CERTIFICATES },
    async () => {
      const folder = new Certificates();
      const ca = folder.make("ca", { ca: true, names: ["Client CA"] });
      const until = Date.now() + SHORT_SECONDS * 1000;
      const { cert, key } = folder.makeShort("short", "ca", SHORT_SECONDS);
      const front = await listen({ ...files("localhost"), ca: ca.cert });
      try {
        const { port } = front.address as { port: number };
        for (const version of ["-tls1_2", "-tls1_3"]) {
          const saved = ["-sess_out", folder.path(version)];
          const args = [version, "-cert", cert, "-key", key, ...saved];
          assert.match(await ask(port, args), new RegExp(TWENTY), "it is valid yet");
        }
        await sleep(Math.max(0, until + 1100 - Date.now()));
        for (const version of ["-tls1_2", "-tls1_3"]) {
          const saved = existsSync(folder.path(version)) ? ["-sess_in", folder.path(version)] : [];
          const output = await ask(port, [version, "-cert", cert, "-key", key, ...saved]);
          assert.doesNotMatch(output, new RegExp(TWENTY), "it has expired");
        }
      } finally {
        front.cut();
        await front.close();
        folder.remove();
      }
    },
  );

  it("says where the runtime cannot do that", {
    skip: ONE_CERTIFICATE ? false : "Node.js and Deno can",
  }, async () => {
    const unsupported = { code: "ERR_SLUICE_UNSUPPORTED", message: /keeps one certificate/ };
    assert.throws(() => server.reload(), unsupported);
    await assert.rejects(
      listen({ ...files("localhost"), hosts: [files("other.example")] }),
      unsupported,
    );
  });

  it("keeps what it has when a file cannot be used", { skip: ONE_CERTIFICATE }, async () => {
    const own = await shown("localhost");
    writeFileSync(files("localhost").key, "nothing");
    assert.throws(() => server.reload(), /no private key/);
    assert.equal(await shown("localhost"), own);
    renew("localhost");
  });
});
