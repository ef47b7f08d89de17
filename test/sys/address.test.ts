import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeAddress, encodeAddress, type SocketAddress } from "../../src/sys/net/address.ts";
import { formatIpv6, parseIpv4, parseIpv6 } from "../../src/sys/net/ip.ts";

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex");

describe("parseIpv4()", () => {
  it("takes four numbers below 256", () => {
    assert.deepEqual([...parseIpv4("127.0.0.255")!], [127, 0, 0, 255]);
  });

  for (const text of ["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.-4", "a.b.c.d"]) {
    it(`refuses "${text}"`, () => assert.equal(parseIpv4(text), undefined));
  }
});

describe("parseIpv6() and formatIpv6()", () => {
  const forms: Record<string, string> = {
    "::": "0".repeat(32),
    "::1": `${"0".repeat(31)}1`,
    "1::": `0001${"0".repeat(28)}`,
    "2001:db8::8:800:200c:417a": "20010db80000000000080800200c417a",
    "fe80::1:2:3:4": "fe800000000000000001000200030004",
    "1:2:3:4:5:6:7:8": "00010002000300040005000600070008",
    "1:0:3:4:5:6:7:8": "00010000000300040005000600070008",
    "1::4:0:0:7:8": "00010000000000040000000000070008",
    "::ffff:192.0.2.1": "00000000000000000000ffffc0000201",
  };
  for (const [text, bytes] of Object.entries(forms)) {
    it(`turn "${text}" into bytes and back`, () => {
      assert.equal(hex(parseIpv6(text)), bytes);
      assert.equal(formatIpv6(Uint8Array.from(Buffer.from(bytes, "hex"))), text);
    });
  }

  it("take other forms of the same address", () => {
    assert.equal(hex(parseIpv6("0:0:0:0:0:0:0:1")), hex(parseIpv6("::1")));
    assert.equal(hex(parseIpv6("2001:DB8::")), hex(parseIpv6("2001:0db8::")));
    assert.equal(hex(parseIpv6("64:ff9b::1.2.3.4")), hex(parseIpv6("64:ff9b::102:304")));
    assert.equal(hex(parseIpv6("1:2:3:4:5:6:7::")), hex(parseIpv6("1:2:3:4:5:6:7:0")));
  });

  const bad = ["", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "::g"];
  bad.push("1:2:3:4:5:6:7:8::", "fe80::1%eth0", "1.2.3.4::", "::1.2.3", "::1:", ":1::", "1.2.3.4");
  for (const text of bad) {
    it(`refuse "${text}"`, () => assert.equal(parseIpv6(text), undefined));
  }
});

describe("encodeAddress() and decodeAddress()", () => {
  const addresses: SocketAddress[] = [
    { family: "IPv4", address: "10.1.2.3", port: 65_535 },
    { family: "IPv6", address: "2001:db8::1", port: 0 },
    { family: "Unix", path: "/tmp/é" },
    { family: "Unix", path: "\0abstract\0name" },
    { family: "Unix", path: "x".repeat(107) },
  ];
  for (const address of addresses) {
    it(`keep ${JSON.stringify(address).slice(0, 60)}`, () => {
      assert.deepEqual(decodeAddress(encodeAddress(address)), address);
    });
  }

  it("read a socket without a name", () => {
    assert.deepEqual(decodeAddress(encodeAddress(addresses[2]!).subarray(0, 2)), {
      family: "Unix",
      path: "",
    });
  });

  const wrong: unknown[] = [
    undefined,
    null,
    {},
    { family: "IPv5" },
    { family: "IPv4", address: "::1", port: 1 },
    { family: "IPv6", address: "127.0.0.1", port: 1 },
    { family: "IPv4", port: 1 },
    { family: "IPv4", address: "127.0.0.1" },
    { family: "Unix" },
    { family: "Unix", path: "" },
    { family: "Unix", path: "a\0b" },
    { family: "Unix", path: "x".repeat(108) },
  ];
  for (const address of wrong) {
    it(`refuse ${JSON.stringify(address)?.slice(0, 50)}`, () => {
      assert.throws(() => encodeAddress(address as SocketAddress), TypeError);
    });
  }

  it("refuse a port out of range, and a family that is none of these", () => {
    for (const port of [-1, 65_536, 1.5]) {
      const address: SocketAddress = { family: "IPv4", address: "127.0.0.1", port };
      assert.throws(() => encodeAddress(address), RangeError);
    }
    assert.throws(() => decodeAddress(new Uint8Array([99, 99, 0, 0])), TypeError);
  });
});
