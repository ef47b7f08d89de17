import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, it } from "node:test";
import { createFileServer, type FileServerOptions } from "../../../src/http/mod.ts";
import { matches } from "../../../src/http/server/auth/hashes.ts";
import { requestText } from "../../_kit/raw_http.ts";
import { serveSite, TWENTY } from "./_site.ts";

const basic = (text: string) => ({
  Authorization: `Basic ${Buffer.from(text).toString("base64")}`,
});

/** What `openssl passwd -apr1` and `openssl dgst -sha1` print. */
const HTPASSWD = `# users
ann:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0
bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
eve:{SSHA}8bX4JQDfZqtTfvnQ4ssDmWb17/FTQUxU
`;

describe("a server with users", () => {
  const site = serveSite({
    auth: { users: { "jörg": "geheim: ä", root: "x" }, htpasswd: HTPASSWD, realm: "my files" },
    listing: true,
  });

  it("answers 401 to whoever has no password, whatever is asked for", async () => {
    const others = [
      "",
      "jörg",
      "jörg:geheim",
      "root:",
      ":x",
      "ann:x",
      "bob:x",
      "eve:x",
      "x:secret",
    ];
    for (const target of ["/file.txt", "/none", "/", "/dir", "/../x"]) {
      for (const headers of [{}, ...others.map(basic), { Authorization: "Bearer x" }]) {
        const { body, headers: fields, status } = await site.get(target, headers);
        assert.equal(status, 401, `${target} ${JSON.stringify(headers)}`);
        assert.equal(fields.get("www-authenticate"), 'Basic realm="my files", charset="UTF-8"');
        assert.equal(body.toString(), "401 Unauthorized\n");
      }
    }
    assert.equal(site.server.stats().statuses["2xx"], 0);
  });

  it("serves all who know theirs, again and again", async () => {
    const users = ["jörg:geheim: ä", "root:x", "ann:secret", "bob:secret", "eve:secret"];
    for (const user of [...users, ...users]) {
      const { body, status } = await site.get("/file.txt", basic(user));
      assert.deepEqual([status, body.toString()], [200, TWENTY], user);
    }
  });

  it("asks for each request of a connection, and keeps it", async () => {
    const text = requestText("/file.txt", basic("root:x")) + requestText("/file.txt") +
      requestText("/file.txt", { ...basic("root:x"), "Connection": "close" }, "HEAD");
    const answers = await site.exchange(text, ["GET", "GET", "HEAD"]);
    assert.deepEqual(answers.map(({ status }) => status), [200, 401, 200]);
  });

  it("takes no credentials from repeated fields", async () => {
    const { Authorization } = basic("root:x");
    const twice = `Authorization: ${Authorization}\r\nAuthorization: ${Authorization}\r\n`;
    const text = `GET /file.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${twice}\r\n`;
    assert.match(await site.talk(text), /^HTTP\/1\.1 401 Unauthorized\r\n/);
  });
});

describe("a fallback behind users", () => {
  it("gets no request without a password", async () => {
    const seen: string[] = [];
    const program = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (bytes) => {
        seen.push(String(bytes).split("\r\n", 1)[0]!);
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    }).listen(0, "127.0.0.1");
    await once(program, "listening");
    const { port } = program.address() as AddressInfo;
    const fallback = { to: `127.0.0.1:${port}`, paths: ["/api/"] };
    const server = createFileServer({ root: ".", auth: { users: { a: "b" } }, fallback });
    const { port: own } = await server.listen();
    const ask = async (target: string, headers: Record<string, string>, method = "GET") => {
      const url = `http://127.0.0.1:${own}${target}`;
      const response = await fetch(url, { method, headers: { ...headers, Connection: "close" } });
      await response.arrayBuffer();
      return response.status;
    };
    try {
      for (const target of ["/api/x", "/none"]) {
        for (const method of ["GET", "POST", "OPTIONS"]) {
          assert.equal(await ask(target, {}, method), 401, `${method} ${target}`);
        }
      }
      assert.deepEqual(seen, []);
      assert.equal(await ask("/api/x", basic("a:b")), 200);
      assert.equal(await ask("/none", basic("a:b")), 200);
      assert.equal(seen.length, 2);
    } finally {
      await server.close({ graceMs: 0 });
      program.close();
    }
  });
});

describe("users", () => {
  it("have hashes as other programs make them", () => {
    const secret = new TextEncoder().encode("pässwörd mit länge größer als sechzehn");
    assert.equal(matches(secret, "$apr1$xyz$8svTWsYk74vmwsJG2iHRZ/"), true);
    assert.equal(matches(secret.subarray(1), "$apr1$xyz$8svTWsYk74vmwsJG2iHRZ/"), false);
  });

  const REFUSED: readonly (readonly [object, RegExp])[] = [
    [{}, /auth: it names no user$/],
    [{ htpasswd: "\n# none\n" }, /auth: it names no user$/],
    [{ users: { "a:b": "c" } }, /the user "a:b" needs a name without ":"/],
    [{ users: { a: "" } }, /the user "a" needs a name without ":" and a password/],
    [{ htpasswd: "ann" }, /line 1 of htpasswd is no "user:hash"/],
    [{ htpasswd: "a:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC" }, /htpasswd -m/],
    [{ users: { a: "b" }, realm: 'x"' }, /realm must be plain text/],
  ];
  for (const [auth, error] of REFUSED) {
    it(`are refused: ${JSON.stringify(auth)}`, () => {
      const options: FileServerOptions = { root: ".", auth };
      assert.throws(() => createFileServer(options), error);
    });
  }
});
