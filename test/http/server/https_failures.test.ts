import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { capabilities } from "../../../src/capabilities.ts";
import { createFileServer, type TlsOptions } from "../../../src/http/mod.ts";
import { CERTIFICATE, KEY } from "../../_kit/certificate.ts";
import { talk } from "../../_kit/raw_http.ts";
import { Certificates, NO_OPENSSL } from "../../tls/_certificates.ts";
import { makeSite } from "./_site.ts";

const NO_FFI = capabilities().backend === null &&
  "without foreign calls, the runtime's own server ends connections";

type Reason = keyof NonNullable<
  ReturnType<ReturnType<typeof createFileServer>["stats"]>["tls"]
>["failures"];

/** Runs `openssl s_client` until the connection ends. */
async function sClient(port: number, args: readonly string[]): Promise<void> {
  const target = ["-connect", `127.0.0.1:${port}`, "-servername", "localhost"];
  const child = spawn("openssl", ["s_client", ...target, ...args], { stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await once(child, "close");
  clearTimeout(timer);
}

/** Sends bytes, and ends the connection. */
async function sendOnly(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  socket.end(bytes);
  await once(socket, "close");
}

describe("stats().tls", { skip: NO_OPENSSL }, () => {
  let made: Certificates;
  let main: { cert: string; key: string };
  const site = makeSite();
  before(() => {
    if (NO_OPENSSL) return;
    made = new Certificates();
    main = made.make("main");
    made.make("unrelated", { ca: true, names: ["unrelated"] });
  });
  after(() => {
    made?.remove();
    site.remove();
  });

  const cases: Record<Reason, {
    readonly tls?: Partial<TlsOptions>;
    readonly client: (port: number) => Promise<unknown>;
  }> = {
    version: {
      tls: { minVersion: "TLSv1.3" },
      client: (port) => sClient(port, ["-tls1_2"]),
    },
    cipher: {
      client: (port) => sClient(port, ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]),
    },
    protocol: { client: (port) => sClient(port, ["-alpn", "h2"]) },
    clientCertificate: {
      tls: { ca: "unrelated.pem" },
      client: (port) => sClient(port, ["-tls1_2"]),
    },
    alert: {
      client: (port) =>
        sClient(port, ["-verify_return_error", "-CAfile", made.path("unrelated.pem")]),
    },
    plainHttp: { client: (port) => talk(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") },
    timeout: {
      tls: { handshakeMs: 200 },
      async client(port) {
        const socket = connect(port, "127.0.0.1").resume();
        await once(socket, "close");
      },
    },
    gone: { client: (port) => sendOnly(port, Uint8Array.of(22, 3, 1)) },
    other: {
      client: (port) => sendOnly(port, Uint8Array.of(22, 3, 1, 0, 5, 1, 0, 0, 1, 0)),
    },
  };

  for (const [reason, { client, tls = {} }] of Object.entries(cases)) {
    it(`counts a handshake that failed for the reason "${reason}", once`, async () => {
      const ca = tls.ca === undefined ? {} : { ca: made.path(tls.ca as string) };
      const server = createFileServer({ root: site.root, tls: { ...main, ...tls, ...ca } });
      const { port } = await server.listen();
      try {
        await client(port);
        const failures = () => Object.entries(server.stats().tls!.failures);
        const counted = () => failures().filter(([, count]) => count > 0);
        for (let i = 0; i < 500 && counted().length === 0; i++) await sleep(10);
        assert.deepEqual(counted(), [[reason, 1]]);
        assert.equal(server.stats().tls!.handshakes, 0);
      } finally {
        await server.close({ graceMs: 0 });
      }
    });
  }
});

describe("the end of a connection between two requests", () => {
  /** Passes on a connection; resolves with the bytes that the server sends after the end. */
  async function endsIn(announces: boolean): Promise<number> {
    const site = makeSite();
    const server = createFileServer({ root: site.root, tls: { cert: CERTIFICATE, key: KEY } });
    const { port } = await server.listen();
    let after = 0;
    let end = () => {};
    const ended = Promise.withResolvers<void>();
    const between = createServer((from) => {
      const to = connect(port, "127.0.0.1");
      let over = false;
      from.on("data", (bytes: Uint8Array) => to.write(bytes));
      to.on("data", (bytes: Uint8Array) => {
        if (over) after += bytes.length;
        else from.write(bytes);
      });
      to.on("end", ended.resolve).on("error", ended.reject);
      end = () => {
        over = true;
        to.end();
      };
      from.on("end", end);
      from.on("error", () => {});
    });
    await once(between.listen(0, "127.0.0.1"), "listening");
    const raw = connect((between.address() as AddressInfo).port, "127.0.0.1");
    await once(raw, "connect");
    const socket = connectTls({ socket: raw, servername: "localhost", ca: CERTIFICATE });
    await once(socket, "secureConnect");
    socket.write("GET /file.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "data");
    if (announces) socket.end();
    else end();
    await ended.promise;
    socket.destroy();
    raw.destroy();
    between.close();
    await server.close({ graceMs: 0 });
    site.remove();
    return after;
  }

  it("is announced to a client that announces it, and only to that", { skip: NO_FFI }, async () => {
    // A record of 24 bytes, close_notify.
    assert.equal(await endsIn(true), 24);
    assert.equal(await endsIn(false), 0);
  });
});
