import assert from "node:assert/strict";
import { once } from "node:events";
import { promises as dns } from "node:dns";
import { connect, createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, describe, it } from "node:test";
import { createFileServer } from "../../src/http/mod.ts";
import { createRelay } from "../../src/mod.ts";
import { formatAddress, parseEndpoint, resolveAll } from "../../src/move/relay/endpoint.ts";
import { encodeAddress } from "../../src/sys/net/address.ts";
import { fetchRaw } from "../_kit/raw_http.ts";

/** Clean-up after each test. */
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const IPV6 = Object.values(networkInterfaces()).flat().some((own) => own?.address === "::1")
  ? false
  : "this machine has no ::1";

/** Makes every name have these addresses. */
function names(...addresses: string[]): void {
  const { lookup } = dns;
  const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  dns.lookup = (() => Promise.resolve(found)) as unknown as typeof lookup;
  cleanUp.push(() => dns.lookup = lookup);
}

async function listen(host: string, port = 0): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    });
  });
  server.listen(port, host);
  await once(server, "listening");
  cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
  return { server, port: (server.address() as { port: number }).port };
}

/** The response through a relay to `upstream`. */
async function throughRelay(upstream: string): Promise<string> {
  const relay = createRelay({ listen: ":0", upstream });
  cleanUp.push(() => relay.close());
  const { port } = await relay.listen() as { port: number };
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {});
  let received = "";
  client.on("data", (chunk) => received += chunk);
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  // Not by once(), which a reset would reject.
  await new Promise((resolve) => client.on("close", resolve));
  return received;
}

/** The response of a program at `to`, through a server. */
async function throughServer(to: string): Promise<string> {
  const server = createFileServer({ root: import.meta.dirname!, fallback: to });
  cleanUp.push(() => server.close({ graceMs: 0 }));
  const { port } = await server.listen();
  const { body, status } = await fetchRaw(port, "/absent");
  return `${status} ${body}`;
}

describe("the addresses of an upstream's name", () => {
  it("are all tried, in turn", { skip: IPV6 }, async () => {
    const { port } = await listen("127.0.0.1");
    names("::1", "127.0.0.1");
    assert.match(await throughRelay(`a.test:${port}`), /hello$/);
    names("127.0.0.3", "::1", "127.0.0.2", "127.0.0.1");
    assert.match(await throughRelay(`a.test:${port}`), /hello$/);
  });

  it("are refused with the error of the last one", async () => {
    names("127.0.0.3", "127.0.0.2");
    assert.equal(await throughRelay("a.test:1"), "");
  });

  it("alternate between the families, in the order of the resolver", async () => {
    names("::1", "::2", "::3", "127.0.0.1", "127.0.0.2");
    const found = await resolveAll({ host: "a.test", port: 1 });
    assert.deepEqual(
      found.map((address) => address.family === "Unix" ? "" : address.address),
      ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"],
    );
  });

  it("may have a zone", { skip: IPV6 }, async () => {
    const [index] = await resolveAll(parseEndpoint("[fe80::1%lo]:80", "upstream"));
    const scopeId = index!.family === "IPv6" ? index!.scopeId! : 0;
    assert.ok(scopeId > 0);
    assert.equal(formatAddress(index!), `[fe80::1%${scopeId}]:80`);
    assert.deepEqual([...encodeAddress(index!).subarray(24)], [scopeId, 0, 0, 0]);
    assert.deepEqual(await resolveAll({ host: `fe80::1%${scopeId}`, port: 80 }), [index]);
    await assert.rejects(resolveAll({ host: "fe80::1%nowhere", port: 80 }), { code: "ENODEV" });
    for (
      const wrong of ["[fe80::1%]:80", "[fe80::1%a%b]:80", "[1.2.3.4%lo]:80", "[fe80::1%../x]:1"]
    ) {
      assert.throws(() => parseEndpoint(wrong, "upstream"), TypeError, wrong);
    }
    const { port } = await listen("::1");
    assert.match(await throughRelay(`[::1%lo]:${port}`), /hello$/);
    assert.equal(await throughServer(`[::1%lo]:${port}`), "200 hello");
  });
});

describe("the addresses of a fallback's name", () => {
  it("are all tried, in turn", { skip: IPV6 }, async () => {
    const { port } = await listen("127.0.0.1");
    names("::1", "127.0.0.1");
    assert.equal(await throughServer(`localhost:${port}`), "200 hello");
  });
});
