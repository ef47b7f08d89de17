/** `sluice serve` over HTTPS: choosing and renewing certificates, and rejected options. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { selfSigned } from "../../src/tls/certificate/self_signed.ts";
import { runChild } from "../_kit/child.ts";
import { freePort } from "../_kit/free_port.ts";
import { fetchRaw } from "../_kit/raw_http.ts";
import { type RunningServer, startServer } from "../_kit/server.ts";
import { secureClient, secureGet } from "../http/server/_tls.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url);
const ANY = { rejectUnauthorized: false };
const FINGERPRINT = /SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})/;

/** The fingerprint of the certificate that a server shows. */
async function shown(port: number): Promise<string> {
  const socket = await secureClient(port, ANY);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

const printOf = (pem: string) => new X509Certificate(pem).fingerprint256;

describe("sluice serve over HTTPS", () => {
  let folder = "";
  let count = 0;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-"));
    mkdirSync(join(folder, "site"));
    writeFileSync(join(folder, "site", "file.txt"), "hello");
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Writes a new certificate with its key; each in one step, as ACME clients do. */
  function pair(name = `pair${++count}`): { cert: string; key: string; fingerprint: string } {
    const made = selfSigned(["localhost", "127.0.0.1"], 30);
    const paths = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
    for (const kind of ["cert", "key"] as const) {
      writeFileSync(`${paths[kind]}.new`, made[kind]);
      renameSync(`${paths[kind]}.new`, paths[kind]);
    }
    return { ...paths, fingerprint: printOf(made.cert) };
  }

  const serve = (args: readonly string[], env: Record<string, string> = {}) =>
    startServer(MAIN, ["serve", join(folder, "site"), "--port", "0", ...args], { env });

  async function withServer(
    args: readonly string[],
    use: (server: RunningServer) => Promise<void>,
    env: Record<string, string> = {},
  ): Promise<void> {
    const server = await serve(args, env);
    try {
      await use(server);
    } finally {
      server.kill("SIGTERM");
      await server.ended;
    }
  }

  /** Output of the command when it cannot serve; it must exit by itself, and print no key. */
  async function refused(status: number, ...args: string[]): Promise<string> {
    const { code, stderr, stdout } = await runChild(MAIN, {
      args: ["serve", join(folder, "site"), "--port", "0", ...args],
      timeoutMs: 30_000,
    });
    assert.equal(code, status, stderr);
    assert.doesNotMatch(stdout, /https:/);
    assert.doesNotMatch(stderr, /^[\w+/=]{12,}$|^ +at /m, "neither a key nor a stack");
    return stderr;
  }

  it("uses the files that it is given, logs requests, and drains on a signal", async () => {
    const { cert, fingerprint, key } = pair();
    await withServer(["--tls-cert", cert, "--tls-key", key], async (server) => {
      assert.match(server.output(), new RegExp(`https://127\\.0\\.0\\.1:${server.port}/`));
      assert.equal(await shown(server.port), fingerprint);
      const { body } = await secureGet(server.port, "/file.txt", {}, {
        ca: readFileSync(cert, "utf8"),
      });
      assert.equal(body.toString(), "hello");
      await server.printed(/200 GET \/file\.txt 5 B memory/);
      server.kill("SIGTERM");
      assert.equal(await server.ended, 143);
    });
  });

  it("makes a certificate with --tls, keeps it, and says how to trust it", async () => {
    const data = { XDG_DATA_HOME: join(folder, "data") };
    const cert = join(folder, "data", "sluice", "localhost.pem");
    let first = "";
    await withServer(["--tls"], async (server) => {
      await server.printed(/To trust it: curl --cacert/);
      assert.match(server.output(), /localhost\.pem, made for this machine/);
      first = FINGERPRINT.exec(server.output())![1]!;
      assert.equal(await shown(server.port), first);
      const trusted = { ca: readFileSync(cert, "utf8") };
      const { body } = await secureGet(server.port, "/file.txt", {}, trusted);
      assert.equal(body.toString(), "hello");
    }, data);
    assert.equal(printOf(readFileSync(cert, "utf8")), first);
    assert.equal(statSync(join(folder, "data", "sluice", "localhost.key")).mode & 0o077, 0);
    await withServer(["--tls"], async (server) => {
      await server.printed(/localhost\.pem, made earlier/);
      assert.equal(await shown(server.port), first);
    }, data);
    await withServer(["--tls", "--json"], async (server) => {
      const line = server.output().split("\n").find((text) => text.startsWith("{"))!;
      const { certificate, event, fingerprint, local } = JSON.parse(line);
      assert.deepEqual([event, certificate, fingerprint], ["listening", cert, first]);
      assert.equal(local, `https://127.0.0.1:${server.port}/`);
      assert.equal(await shown(server.port), fingerprint);
    }, data);
  });

  it("serves HTTPS without foreign functions, too", async () => {
    const { cert, fingerprint, key } = pair();
    await withServer(["--tls-cert", cert, "--tls-key", key], async (server) => {
      await server.printed(/Files are copied/);
      assert.equal(await shown(server.port), fingerprint);
      const { body } = await secureGet(server.port, "/file.txt", {}, ANY);
      assert.equal(body.toString(), "hello");
    }, { SLUICE_FFI: "none" });
  });

  it("redirects HTTP from the port of --redirect-http", async () => {
    const { cert, key } = pair();
    const http = await freePort();
    const args = ["--tls-cert", cert, "--tls-key", key, "--redirect-http", String(http)];
    await withServer(args, async (server) => {
      const { headers, status } = await fetchRaw(http, "/file.txt?a=b");
      assert.equal(status, 308);
      assert.match(
        headers.get("location")!,
        new RegExp(`^https://[^/]+:${server.port}/file\\.txt\\?a=b$`),
      );
    });
  });

  it("reads the certificate again on SIGHUP, and keeps the old one if the new is bad", async () => {
    const old = pair("renewed");
    await withServer(["--tls-cert", old.cert, "--tls-key", old.key], async (server) => {
      const kept = await secureClient(server.port, ANY);
      const next = pair("renewed");
      server.kill("SIGHUP");
      await server.printed(/Read the certificate .*renewed\.pem again/);
      assert.equal(await shown(server.port), next.fingerprint);
      kept.write("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
      const [answer] = await once(kept, "data") as [Uint8Array];
      assert.match(new TextDecoder().decode(answer), /^HTTP\/1\.1 200/);
      kept.destroy();
      writeFileSync(old.key, readFileSync(pair().key));
      server.kill("SIGHUP");
      await server.printed(/renewed\.key": it does not belong to the certificate/);
      assert.equal(await shown(server.port), next.fingerprint);
    });
  });

  it("reads the certificate again when its file changes, through links as well", async () => {
    const [one, two] = [pair(), pair()];
    // As certbot's folder `live`, whose links lead to the newest files.
    const live = join(folder, "live");
    mkdirSync(live);
    const point = (to: typeof one) => {
      for (const kind of ["cert", "key"] as const) {
        symlinkSync(to[kind], join(live, "new"));
        renameSync(join(live, "new"), join(live, kind));
      }
    };
    point(one);
    const args = ["--tls-cert", join(live, "cert"), "--tls-key", join(live, "key")];
    await withServer(args, async (server) => {
      assert.equal(await shown(server.port), one.fingerprint);
      // The first look at a file is no change.
      await sleep(1000);
      point(two);
      await server.printed(/Read the certificate .*again/);
      assert.equal(await shown(server.port), two.fingerprint);
    });
  });

  it("names the file that it cannot use, and what is wrong with it", async () => {
    const [good, other] = [pair(), pair()];
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const missing = join(folder, "missing.pem");
    const text = file("text.key", "no key at all");
    const broken = file(
      "broken.key",
      "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n",
    );
    const expired = selfSigned(["localhost"], 1, Date.now() - 10 * 86_400_000);
    const old = file("expired.pem", expired.cert);
    const oldKey = file("expired.key", expired.key);
    const cases: [string, string, string, RegExp][] = [
      [missing, good.key, missing, /ENOENT: no such file/],
      [good.cert, missing, missing, /ENOENT: no such file/],
      [folder, good.key, folder, /directory/],
      [text, good.key, text, /no certificate in PEM form/],
      [good.cert, text, text, /no private key in PEM form/],
      [good.cert, good.cert, good.cert, /no private key in PEM form/],
      [good.cert, broken, broken, /malformed/],
      [good.cert, other.key, other.key, /does not belong to the certificate/],
      [old, oldKey, old, /it expired on \d{4}-/],
    ];
    for (const [cert, key, name, reason] of cases) {
      const message = await refused(1, "--tls-cert", cert, "--tls-key", key);
      assert.match(message, /^sluice: Cannot use the (certificate|private key) /m);
      assert.ok(message.includes(`"${name}"`), message);
      assert.match(message, reason);
    }
  });

  it("passes requests on over HTTPS, to a program that the system trusts", async () => {
    const { cert, key } = pair();
    const options = { cert: readFileSync(cert), key: readFileSync(key) };
    const program = createSecureServer(options, (req, res) => res.end(`program: ${req.url}`));
    await once(program.listen(0, "127.0.0.1"), "listening");
    const args = ["--fallback", `https://localhost:${(program.address() as AddressInfo).port}`];
    try {
      await withServer(args, async ({ port }) => {
        assert.equal((await fetchRaw(port, "/absent")).body.toString(), "program: /absent");
        assert.equal((await fetchRaw(port, "/file.txt")).body.toString(), "hello");
      }, { SSL_CERT_FILE: cert });
      await withServer(args, async ({ port, printed }) => {
        assert.equal((await fetchRaw(port, "/absent")).status, 502);
        await printed(/502 GET \/absent .*the issuer of its certificate is not trusted/);
      }, { SSL_CERT_FILE: pair().cert });
    } finally {
      program.close();
      program.closeAllConnections();
    }
  });

  it("refuses half of what it needs", async () => {
    const { cert, key } = pair();
    assert.match(await refused(2, "--tls-cert", cert), /give both --tls-cert and --tls-key/);
    assert.match(await refused(2, "--tls-key", key), /give both --tls-cert and --tls-key/);
    assert.match(
      await refused(2, "--redirect-http", "1"),
      /give --tls, or --tls-cert and --tls-key/,
    );
  });

  it("names the port where HTTP cannot be redirected, without trying others", async () => {
    const { cert, key } = pair();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const args = ["--tls-cert", cert, "--tls-key", key, "--redirect-http", String(port)];
    // Without --port: it would try the next ones if its own were in use.
    const { code, stderr } = await runChild(MAIN, {
      args: ["serve", join(folder, "site"), ...args],
      timeoutMs: 30_000,
    }).finally(() => other.close());
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(`Cannot redirect HTTP requests on port ${port}: the port is in use`),
    );
  });
});
