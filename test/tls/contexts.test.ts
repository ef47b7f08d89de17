import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../src/tls/failure.ts";
import { Certificates, NO_OPENSSL } from "./_certificates.ts";
import { type MiniServer, type MiniStats, startMini } from "./_server.ts";

/** Validity of a certificate that must last for four handshakes on a busy machine, in seconds. */
const SHORT_SECONDS = 12;

const REQUEST = "GET /data HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST = "GET /data HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** What `s_client` prints once it has read a text, and so takes the next one for another. */
function effectOf(text: string): RegExp {
  if (text.startsWith("GET")) return /payload/g;
  return text === "R\n" ? /RENEGOTIATING/g : />>> .*KeyUpdate/g;
}

/**
 * Runs `openssl s_client`; writes each text when the one before has had its effect, or, if empty,
 * nothing for a while. Resolves with everything it printed.
 */
async function sClient(
  { port }: MiniServer,
  args: readonly string[] = [],
  texts: readonly string[] = [LAST],
): Promise<string> {
  const child = spawn("openssl", [
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    "-servername",
    "localhost",
    ...args,
  ]);
  let output = "";
  let grown = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      grown();
    });
  }
  child.stdin.on("error", () => {});
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  for (const text of texts) {
    const count = () => output.match(effectOf(text))?.length ?? 0;
    const before = count();
    const effect = new Promise<void>((resolve) => {
      grown = () => count() > before && resolve();
    });
    child.stdin.write(text);
    await Promise.race([text === "" ? sleep(200) : effect, ended]);
  }
  await ended;
  clearTimeout(timer);
  return output;
}

async function command(
  server: MiniServer,
  path: string,
): Promise<MiniStats & Record<string, unknown>> {
  const text = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  const output = await sClient(server, ["-quiet"], [text]);
  return JSON.parse(/\r\n\r\n(\{.*\})/s.exec(output)![1]!);
}

describe("the contexts of a server", { skip: NO_OPENSSL }, () => {
  let folder: Certificates;
  let server: MiniServer | undefined;
  let main: { cert: string; key: string };
  before(() => {
    if (NO_OPENSSL) return;
    folder = new Certificates();
    folder.write("data", "payload");
    main = folder.make("main");
  });
  after(() => folder?.remove());

  async function using(
    tls: Record<string, unknown>,
    body: (server: MiniServer) => Promise<void>,
  ): Promise<void> {
    server = await startMini(folder.folder, { ...main, ...tls });
    try {
      await body(server);
    } finally {
      await server.close();
    }
  }

  it("use ECDSA and RSA side by side", { skip: NO_OPENSSL }, async () => {
    const rsa = folder.make("rsa", { kind: "rsa" });
    await using({ cert: [main.cert, rsa.cert], key: [main.key, rsa.key] }, async (s) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const ec = await sClient(s, [version, "-sigalgs", "ECDSA+SHA256"]);
        assert.match(ec, /Peer signature type: ECDSA/);
        const other = await sClient(s, [version, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"]);
        assert.match(other, /Peer signature type: RSA/);
        assert.match(other, /payload/);
      }
    });
  });

  it("refuse older versions and unknown ciphers, and count why", { skip: NO_OPENSSL }, async () => {
    await using({ minVersion: "TLSv1.3" }, async (s) => {
      assert.match(await sClient(s, ["-tls1_2"]), /alert protocol version/);
      const { failures } = await command(s, "/stats");
      assert.equal(failures[Failure.VERSION], 1);
    });
    await using({ ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256" }, async (s) => {
      assert.match(
        await sClient(s, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
        /alert protocol version/,
      );
      const aes256 = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"];
      assert.match(await sClient(s, aes256), /alert handshake failure/);
      assert.match(await sClient(s, ["-tls1_2"]), /Cipher is ECDHE-ECDSA-AES128-GCM-SHA256/);
      assert.match(await sClient(s, ["-tls1_3"]), /Cipher is TLS_AES_128_GCM_SHA256/);
      const { failures } = await command(s, "/stats");
      assert.equal(failures[Failure.CIPHER], 1);
    });
  });

  it("neither renegotiate nor compress", { skip: NO_OPENSSL }, async () => {
    await using({}, async (s) => {
      const output = await sClient(s, ["-tls1_2", "-msg"], ["R\n", LAST]);
      assert.match(output, /no renegotiation|unexpected message|alert/i);
      assert.doesNotMatch(output, /payload/);
      assert.match(await sClient(s, ["-tls1_2"]), /Compression: NONE/);
      const fallback = await sClient(s, ["-tls1_2", "-fallback_scsv"]);
      assert.match(fallback, /inappropriate fallback/);
    });
  });

  it("answer a KeyUpdate, and go on", { skip: NO_OPENSSL }, async () => {
    await using({}, async (s) => {
      for (const letter of ["k\n", "K\n"]) {
        const output = await sClient(s, ["-tls1_3", "-msg"], [REQUEST, letter, LAST]);
        assert.match(output, />>> TLS 1.3, Handshake \[length 0005\], KeyUpdate/);
        assert.equal(output.match(/payload/g)!.length, 2);
        const answered = /<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate/.test(output);
        assert.equal(answered, letter === "K\n", "what is asked for is answered");
      }
    });
  });

  it("resume sessions, also after a change of the ticket key", { skip: NO_OPENSSL }, async () => {
    await using({}, async (s) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const file = folder.path(`session${version}`);
        const full = await sClient(s, [version, "-sess_out", file], [REQUEST, LAST]);
        assert.match(full, /^New, /m);
        const again = () => sClient(s, [version, "-sess_in", file]);
        assert.match(await again(), /^Reused, /m);
        await command(s, "/rotate");
        const rotated = await again();
        assert.match(rotated, /^Reused, /m, "the key before is still known");
        assert.match(rotated, /payload/);
        await command(s, "/rotate");
        const late = await again();
        assert.match(late, /^New, /m, "the key before that is not");
        assert.match(late, /payload/);
        await sClient(s, [version, "-sess_out", file], [REQUEST, LAST]);
        await command(s, "/reload");
        assert.match(await again(), /^Reused, /m, "new certificates keep the sessions");
      }
      const off = await startMini(folder.folder, { ...main, tickets: false });
      try {
        const file = folder.path("session-off");
        await sClient(off, ["-tls1_3", "-sess_out", file], [REQUEST, LAST]);
        const text = await sClient(off, ["-tls1_2"], [LAST]);
        assert.doesNotMatch(text, /TLS session ticket:/);
      } finally {
        await off.close();
      }
    });
  });

  it("send one ticket to each connection", { skip: NO_OPENSSL }, async () => {
    const count = (text: string) => text.match(/Post-Handshake New Session Ticket/g)?.length ?? 0;
    await using({}, async (s) => {
      const file = folder.path("session-single");
      const full = await sClient(s, ["-tls1_3", "-sess_out", file], [REQUEST, LAST]);
      assert.equal(count(full), 1, "after a full handshake");
      const resumed = await sClient(s, ["-tls1_3", "-sess_in", file], [REQUEST, LAST]);
      assert.match(resumed, /^Reused, /m);
      assert.equal(count(resumed), 1, "after a resumed handshake");
    });
    const off = await startMini(folder.folder, { ...main, tickets: false });
    try {
      assert.equal(count(await sClient(off, ["-tls1_3"], [REQUEST, LAST])), 0);
    } finally {
      await off.close();
    }
  });

  it("staple an OCSP response", { skip: NO_OPENSSL }, async () => {
    const ca = folder.make("ca", { ca: true, names: ["Test CA"] });
    const leaf = folder.make("leaf", { issuer: "ca" });
    const serial = folder.run("x509", "-in", leaf.cert, "-noout", "-serial").trim().slice(7);
    folder.write("index", `V\t300101000000Z\t\t${serial}\tunknown\t/CN=localhost\n`);
    folder.run(..."ocsp -reqout ocsp.req -issuer ca.pem -cert leaf.pem".split(" "));
    folder.run(
      ..."ocsp -index index -CA ca.pem -rsigner ca.pem -rkey ca.key".split(" "),
      ..."-reqin ocsp.req -respout ocsp.der -ndays 7".split(" "),
    );
    await using({ ...leaf, ocsp: folder.path("ocsp.der") }, async (s) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const output = await sClient(s, [version, "-status", "-CAfile", ca.cert]);
        assert.match(output, /OCSP Response Status: successful/);
        assert.match(output, /Cert Status: good/);
        assert.doesNotMatch(await sClient(s, [version]), /OCSP Response Status/);
      }
    });
    await assert.rejects(
      startMini(folder.folder, { ...leaf, ocsp: leaf.cert }),
      /Cannot use the OCSP response .*leaf\.pem": it is not an OCSP response in DER/,
    );
  });

  it("ask clients for certificates", { skip: NO_OPENSSL }, async () => {
    const ca = folder.make("clients", { ca: true, names: ["Client CA"] });
    const friend = folder.make("friend", { issuer: "clients", names: ["friend"] });
    const stranger = folder.make("stranger", { names: ["stranger"] });
    const shown = ({ cert, key }: typeof ca) => ["-cert", cert, "-key", key];
    await using({ ca: ca.cert }, async (s) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        assert.match(await sClient(s, [version, ...shown(friend)]), /payload/);
        assert.doesNotMatch(await sClient(s, [version]), /payload/);
        assert.doesNotMatch(await sClient(s, [version, ...shown(stranger)]), /payload/);
      }
      const text = "GET /stats HTTP/1.1\r\nConnection: close\r\n\r\n";
      const output = await sClient(s, ["-quiet", ...shown(friend)], [text]);
      const { failures } = JSON.parse(/\r\n\r\n(\{.*\})/s.exec(output)![1]!) as MiniStats;
      assert.equal(failures[Failure.CLIENT_CERTIFICATE], 4);
    });
    await using({ ca: ca.cert, rejectUnauthorized: false }, async (s) => {
      assert.match(await sClient(s), /payload/, "who shows none is served");
      assert.doesNotMatch(await sClient(s, shown(stranger)), /payload/);
    });
  });

  it("end the sessions of clients whose certificates expire", { skip: NO_OPENSSL }, async () => {
    const ca = folder.make("brief", { ca: true, names: ["Brief CA"] });
    const lasting = folder.make("lasting", { issuer: "brief", names: ["lasting"] });
    const until = Date.now() + SHORT_SECONDS * 1000;
    const short = folder.makeShort("short", "brief", SHORT_SECONDS);
    const shown = ({ cert, key }: typeof ca) => ["-cert", cert, "-key", key];
    await using({ ca: ca.cert }, async (s) => {
      const clients = ["-tls1_2", "-tls1_3"].flatMap((version) =>
        [short, lasting].map((pair) => {
          const file = folder.path(`until${version}${pair === short ? "-short" : ""}`);
          return { file, pair, version, args: [version, ...shown(pair)] };
        })
      );
      for (const { args, file } of clients) {
        const first = await sClient(s, [...args, "-sess_out", file], [REQUEST, LAST]);
        assert.match(first, /payload/, "it is valid yet");
      }
      await sleep(Math.max(0, until + 1100 - Date.now()));
      for (const { args, file, pair, version } of clients) {
        const output = await sClient(s, [...args, "-sess_in", file]);
        assert.match(output, /^Reused, /m, version);
        if (pair === short) assert.doesNotMatch(output, /payload/, "it has expired");
        else assert.match(output, /payload/, "it is valid still");
      }
      const text = "GET /stats HTTP/1.1\r\nConnection: close\r\n\r\n";
      const output = await sClient(s, ["-quiet", ...shown(lasting)], [text]);
      const { failures } = JSON.parse(/\r\n\r\n(\{.*\})/s.exec(output)![1]!) as MiniStats;
      assert.equal(failures[Failure.CLIENT_CERTIFICATE], 2);
    });
  });

  it("end the sessions of clients when other authorities sign", { skip: NO_OPENSSL }, async () => {
    const before = folder.make("before", { ca: true, names: ["Before"] });
    const later = folder.make("later", { ca: true, names: ["Later"] });
    const friend = folder.make("resumer", { issuer: "before", names: ["resumer"] });
    const shown = ["-cert", friend.cert, "-key", friend.key];
    const ca = folder.path("authorities.pem");
    copyFileSync(before.cert, ca);
    await using({ ca, rejectUnauthorized: false }, async (s) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        copyFileSync(before.cert, ca);
        await command(s, "/reload");
        const file = folder.path(`client${version}`);
        await sClient(s, [version, ...shown, "-sess_out", file], [REQUEST, LAST]);
        const again = () => sClient(s, [version, ...shown, "-sess_in", file]);
        await command(s, "/reload");
        const resumed = await again();
        assert.match(resumed, /^Reused, /m, "the same authorities keep the sessions");
        assert.match(resumed, /payload/);
        copyFileSync(later.cert, ca);
        await command(s, "/reload");
        const refused = await again();
        assert.doesNotMatch(refused, /^Reused, /m, version);
        assert.doesNotMatch(refused, /payload/, "its certificate is verified, and not trusted");
      }
    });
  });

  it(
    "are replaced by reload, and stay where a file cannot be used",
    { skip: NO_OPENSSL },
    async () => {
      const first = folder.make("first", { names: ["first.example"] });
      const second = folder.make("second", { names: ["second.example"] });
      const [cert, key] = [folder.path("live.pem"), folder.path("live.key")];
      const use = (files: typeof first) => {
        copyFileSync(files.cert, cert);
        copyFileSync(files.key, key);
      };
      use(first);
      await using({ cert, key }, async (s) => {
        const subject = async () => /subject=CN = (\S+)/.exec(await sClient(s))![1];
        assert.equal(await subject(), "first.example");
        writeFileSync(cert, readFileSync(second.cert));
        await command(s, "/reload");
        assert.match(s.errors(), /Cannot use the private key .*live\.key": it does not belong/);
        assert.equal(await subject(), "first.example");
        use(second);
        const long = sClient(s, [], [REQUEST, "", "", "", REQUEST, LAST]);
        await sleep(300);
        await command(s, "/reload");
        assert.equal(await subject(), "second.example");
        const output = await long;
        assert.match(output, /first\.example/);
        assert.equal(output.match(/payload/g)!.length, 3, "a connection from before goes on");
      });
    },
  );

  it(
    "count alerts of clients that do not trust the certificate",
    { skip: NO_OPENSSL },
    async () => {
      const other = folder.make("unrelated", { ca: true });
      await using({}, async (s) => {
        await sClient(s, ["-verify_return_error", "-CAfile", other.cert, "-verify_hostname", "x"]);
        const { failures } = await command(s, "/stats");
        assert.equal(failures[Failure.ALERT], 1);
      });
    },
  );
});
