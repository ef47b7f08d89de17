import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { certificateNames, HostTable } from "../../src/tls/certificate/certificate_names.ts";
import { der, oid, readDer, Tag } from "../../src/tls/certificate/der.ts";
import { CERTIFICATE } from "../_kit/certificate.ts";
import { Certificates, NO_OPENSSL } from "./_certificates.ts";

function fromPem(text: string): Uint8Array {
  const base64 = text.replace(/-----[A-Z ]+-----/g, "");
  return Uint8Array.from(atob(base64.replace(/\s/g, "")), (c) => c.charCodeAt(0));
}

describe("DER", () => {
  it("is read as it is written", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 70_000 }),
        fc.constantFrom(0x02, 0x04, 0x82),
        (body, tag) => {
          const [value, ...rest] = readDer(der(tag, body));
          assert.equal(rest.length, 0);
          assert.equal(value!.tag, tag);
          assert.deepEqual(value!.body, body);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("encodes object identifiers", () => {
    assert.deepEqual([...oid("1.2.840.10045.2.1")], [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
    assert.deepEqual([...oid("2.5.29.17")], [6, 3, 0x55, 0x1d, 0x11]);
  });

  it("refuses lengths that lead out of the bytes", () => {
    for (
      const bytes of [[0x30], [0x30, 5, 1], [0x30, 0x80], [0x30, 0x81], [
        0x30,
        0x85,
        0,
        0,
        0,
        0,
        1,
        0,
      ]]
    ) {
      assert.throws(() => readDer(Uint8Array.from(bytes)), RangeError);
    }
  });
});

describe("certificateNames()", () => {
  let made: Certificates | undefined;
  before(() => {
    if (!NO_OPENSSL) made = new Certificates();
  });
  after(() => made?.remove());

  it("finds the names in subjectAltName, and leaves addresses out", () => {
    assert.deepEqual(certificateNames(fromPem(CERTIFICATE)), ["localhost"]);
  });

  it("finds wildcards and several names", { skip: NO_OPENSSL }, () => {
    made!.make("many", { names: ["Example.com", "*.example.com", "10.0.0.1"] });
    const text = made!.run("x509", "-in", "many.pem");
    assert.deepEqual(certificateNames(fromPem(text)), ["example.com", "*.example.com"]);
  });

  it("takes the common name where there is nothing else", { skip: NO_OPENSSL }, () => {
    made!.run(
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(" "),
      ..."-subj /O=Some/CN=Old.example -keyout cn.key -out cn.pem -config /dev/null".split(" "),
    );
    assert.deepEqual(certificateNames(fromPem(made!.run("x509", "-in", "cn.pem"))), [
      "old.example",
    ]);
  });

  it("throws RangeError for what is no certificate", () => {
    const bytes = fromPem(CERTIFICATE);
    for (let length = 1; length < bytes.length; length += 7) {
      try {
        certificateNames(bytes.subarray(0, length));
        assert.fail("must throw");
      } catch (error) {
        assert.ok(error instanceof RangeError || error instanceof TypeError);
      }
    }
    assert.equal(readDer(bytes)[0]!.tag, Tag.SEQUENCE);
  });
});

describe("HostTable", () => {
  const table = new HostTable([
    { names: ["default.example"], value: 1 },
    { names: ["a.example", "*.a.example"], value: 2 },
    { names: ["x.a.example", "a.example"], value: 3 },
  ]);

  it("prefers the exact name, then the wildcard, then the first entry", () => {
    assert.equal(table.find("a.example"), 2);
    assert.equal(table.find("x.a.example"), 3);
    assert.equal(table.find("y.a.example"), 2);
    assert.equal(table.find("z.y.a.example"), 1, "a wildcard stands for one label");
    assert.equal(table.find("other"), 1);
    assert.equal(table.find(""), 1);
    assert.equal(table.find("__proto__"), 1);
  });

  it("tells whether a host is named", () => {
    assert.ok(table.has("y.a.example"));
    assert.ok(!table.has("b.example"));
  });
});
