import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { certificateNames } from "../../src/tls/certificate/certificate_names.ts";
import { loadCredential } from "../../src/tls/certificate/credential.ts";
import { localCertificate, localNames } from "../../src/tls/certificate/local_certificate.ts";
import { pemOf } from "../../src/tls/certificate/pem_source.ts";
import { selfSigned } from "../../src/tls/certificate/self_signed.ts";
import { Certificates, NO_OPENSSL } from "./_certificates.ts";

const NAMES = ["localhost", "127.0.0.1", "::1", "box.example"];

describe("selfSigned()", () => {
  it("makes what OpenSSL takes", () => {
    const { cert, key } = selfSigned(NAMES, 30);
    const credential = loadCredential({
      cert: pemOf(cert, "certificate", "cert"),
      key: pemOf(key, "private key", "key"),
      passphrase: null,
    });
    assert.deepEqual(credential.names, ["localhost", "box.example"]);
    assert.equal(credential.keyType, "EC");
    credential.free();
  });

  it("is for its names and addresses only, and for some days", () => {
    const certificate = new X509Certificate(selfSigned(NAMES, 30).cert);
    assert.ok(certificate.checkHost("localhost"));
    assert.ok(certificate.checkIP("127.0.0.1"));
    assert.ok(certificate.checkIP("::1"));
    assert.equal(certificate.checkHost("example.com"), undefined);
    assert.equal(certificate.ca, false);
    const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
    assert.ok(days > 29 && days <= 30, `${days} days`);
    assert.ok(certificate.verify(certificate.publicKey), "it signs itself");
  });

  it("can name years after 2049, and has another number each time", () => {
    const certificate = new X509Certificate(selfSigned(["a"], 36_500, Date.UTC(2026, 0)).cert);
    assert.match(certificate.validTo, /2125 GMT$/);
    const numbers = Array.from(
      { length: 20 },
      () => new X509Certificate(selfSigned(["a"], 1).cert).serialNumber,
    );
    assert.equal(new Set(numbers).size, 20);
  });

  it("is what `openssl verify` accepts", { skip: NO_OPENSSL }, () => {
    const folder = new Certificates();
    try {
      folder.write("self.pem", selfSigned(NAMES, 30).cert);
      const output = folder.run("verify", "-x509_strict", "-CAfile", "self.pem", "self.pem");
      assert.match(output, /self\.pem: OK/);
      assert.match(folder.run("x509", "-in", "self.pem", "-noout", "-text"), /Digital Signature/);
    } finally {
      folder.remove();
    }
  });
});

describe("localCertificate()", () => {
  let folder: string;
  before(() => void (folder = mkdtempSync(join(tmpdir(), "sluice-local-"))));
  after(() => rmSync(folder, { recursive: true }));

  it("is made once and kept, and nobody else can read the key", () => {
    const inner = join(folder, "data", "sluice");
    const first = localCertificate(inner);
    assert.equal(first.made, true);
    assert.match(first.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    assert.equal(first.fingerprint, new X509Certificate(readFileSync(first.cert)).fingerprint256);
    assert.equal(statSync(first.key).mode & 0o777, 0o600);
    assert.deepEqual(localCertificate(inner), { ...first, made: false });
  });

  it("is made anew for other names, and where it is damaged", () => {
    const names = ["localhost", "10.9.8.7"];
    const first = localCertificate(folder, names);
    assert.equal(localCertificate(folder, names).made, false);
    assert.equal(localCertificate(folder, ["localhost"]).made, false, "fewer names are covered");
    const other = localCertificate(folder, [...names, "new.example"]);
    assert.equal(other.made, true);
    assert.notEqual(other.fingerprint, first.fingerprint);
    writeFileSync(other.key, "damaged");
    assert.equal(localCertificate(folder, names).made, true);
    writeFileSync(other.cert, "");
    assert.equal(localCertificate(folder, names).made, true);
  });

  it("is made anew a week before its end", () => {
    const { cert, key } = selfSigned(["localhost"], 6);
    writeFileSync(join(folder, "localhost.pem"), cert);
    writeFileSync(join(folder, "localhost.key"), key);
    assert.equal(localCertificate(folder, ["localhost"]).made, true);
  });

  it("covers this machine", () => {
    const names = localNames();
    assert.deepEqual(names.slice(0, 3), ["localhost", "127.0.0.1", "::1"]);
    assert.equal(new Set(names).size, names.length);
    const { cert } = selfSigned(names, 1);
    const base64 = cert.replace(/-----[A-Z ]+-----|\s/g, "");
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    assert.ok(certificateNames(bytes).includes("localhost"));
  });
});
