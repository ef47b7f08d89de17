import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { loadCertificates, loadCredential } from "../../src/tls/certificate/credential.ts";
import { pemOf } from "../../src/tls/certificate/pem_source.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { Certificates, NO_OPENSSL } from "./_certificates.ts";

const load = (cert: unknown, key: unknown, passphrase: string | null = null, now?: number) =>
  loadCredential({
    cert: pemOf(cert, "certificate", "tls.cert"),
    key: pemOf(key, "private key", "tls.key"),
    passphrase: passphrase === null ? null : new TextEncoder().encode(passphrase),
  }, now);

/** Loading must fail with an error that names `file`, and says `reason`. */
function refused(body: () => unknown, file: string, reason: RegExp): void {
  assert.throws(body, (error: Error & { code: string; file: string }) => {
    assert.equal(error.name, "CertificateError");
    assert.equal(error.code, "ERR_SLUICE_CERTIFICATE");
    assert.equal(error.file, file);
    assert.ok(error.message.includes(file), error.message);
    assert.match(error.message, reason);
    return true;
  });
}

describe("loadCredential()", () => {
  it("takes PEM text, and its bytes", () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    for (const [cert, key] of [[CERTIFICATE, KEY], [bytes(CERTIFICATE), bytes(KEY)]]) {
      const credential = load(cert, key);
      assert.equal(credential.keyType, "EC");
      assert.deepEqual(credential.names, ["localhost"]);
      assert.equal(new Date(credential.notAfter).toISOString(), "2126-10-28T01:57:30.000Z");
      credential.free();
    }
  });

  it("refuses text that is neither", () => {
    const bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    refused(() => load(bad, KEY), "tls.cert", /malformed/);
    refused(() => load(KEY, KEY), "tls.cert", /no certificate in PEM form/);
    refused(() => load(CERTIFICATE, CERTIFICATE), "tls.key", /no private key.*holds: certificate/);
    refused(() => load(new Uint8Array(), KEY), "tls.cert", /empty/);
    refused(() => load(CERTIFICATE, KEY.replaceAll("M", "N")), "tls.key", /malformed/);
    refused(() => load(CERTIFICATE.repeat(2).slice(0, -40), KEY), "tls.cert", /malformed/);
  });

  it("refuses what is not valid today", () => {
    refused(
      () => load(CERTIFICATE, KEY, null, Date.UTC(2127, 0)),
      "tls.cert",
      /expired on 2126-10-28T01:57:30Z/,
    );
    refused(
      () => load(CERTIFICATE, KEY, null, Date.UTC(2020, 0)),
      "tls.cert",
      /not valid before 2026-11-21/,
    );
  });

  for (const value of [undefined, null, 5, {}, ""]) {
    it(`refuses ${JSON.stringify(value)} with TypeError`, () => {
      assert.throws(() => load(value, KEY), TypeError);
      assert.throws(() => load(CERTIFICATE, value), TypeError);
    });
  }
});

describe("loadCredential() of files", { skip: NO_OPENSSL }, () => {
  let made: Certificates;
  let good: { cert: string; key: string };
  before(() => {
    if (NO_OPENSSL) return;
    made = new Certificates();
    good = made.make("good", { names: ["a.example", "b.example"] });
  });
  after(() => made?.remove());

  it("takes paths and URLs", { skip: NO_OPENSSL }, () => {
    for (
      const { cert, key } of [good, {
        cert: pathToFileURL(good.cert),
        key: pathToFileURL(good.key),
      }]
    ) {
      const credential = load(cert, key);
      assert.deepEqual(credential.names, ["a.example", "b.example"]);
      credential.free();
    }
  });

  it("takes RSA and Ed25519, and one file for both", { skip: NO_OPENSSL }, () => {
    const rsa = made.make("rsa", { kind: "rsa" });
    made.run("genpkey", "-algorithm", "ED25519", "-out", "ed.key");
    const ed = made.make("ed");
    const both = made.write(
      "both.pem",
      readFileSync(good.key, "utf8") + readFileSync(good.cert, "utf8"),
    );
    for (
      const [{ cert, key }, type] of [[rsa, "RSA"], [ed, "ED25519"], [
        { cert: both, key: both },
        "EC",
      ]] as const
    ) {
      const credential = load(cert, key);
      assert.equal(credential.keyType, type);
      credential.free();
    }
  });

  it("keeps the chain, and wants the own certificate first", { skip: NO_OPENSSL }, () => {
    const root = made.make("root", { ca: true, names: ["Test CA"] });
    const leaf = made.make("leaf", { issuer: "root" });
    const [a, b] = [readFileSync(leaf.cert, "utf8"), readFileSync(root.cert, "utf8")];
    const credential = load(made.write("chain.pem", a + b), leaf.key);
    assert.equal(credential.certificates.addresses.length, 2);
    credential.free();
    const wrong = made.write("wrong.pem", b + a);
    refused(() => load(wrong, leaf.key), wrong, /own certificate must come first; it is number 2/);
  });

  it(
    "names the file that is missing, a folder, or not readable",
    { skip: NO_OPENSSL },
    async () => {
      const missing = made.path("missing.pem");
      refused(() => load(missing, good.key), missing, /ENOENT/);
      refused(() => load(good.cert, missing), missing, /ENOENT/);
      refused(() => load(good.cert, made.folder), made.folder, /directory/);
      const server = createServer();
      await once(server.listen(made.path("socket")), "listening");
      refused(
        () => load(good.cert, made.path("socket")),
        made.path("socket"),
        /ENXIO|no such device/,
      );
      server.close();
      const secret = made.write("secret.key", "x");
      chmodSync(secret, 0);
      if (process.getuid!() !== 0) {
        refused(() => load(good.cert, secret), secret, /EACCES|permission/i);
      }
    },
  );

  it("tells an encrypted key from a wrong passphrase", { skip: NO_OPENSSL }, () => {
    made.run("pkcs8", "-topk8", "-in", "good.key", "-out", "locked.key", "-passout", "pass:sesame");
    made.run("ec", "-in", "good.key", "-out", "old.key", "-aes128", "-passout", "pass:sesame");
    for (const name of ["locked.key", "old.key"]) {
      const key = made.path(name);
      refused(() => load(good.cert, key), key, /encrypted, and no passphrase/);
      refused(() => load(good.cert, key, "wrong"), key, /passphrase is wrong/);
      load(good.cert, key, "sesame").free();
    }
    load(good.cert, good.key, "not needed").free();
  });

  it(
    "refuses a key of another certificate, and an expired certificate",
    { skip: NO_OPENSSL },
    () => {
      const other = made.make("other");
      refused(
        () => load(good.cert, other.key),
        other.key,
        new RegExp(`belong to the certificate.*${good.cert}`),
      );
      const rsa = made.make("rsa2", { kind: "rsa" });
      refused(() => load(good.cert, rsa.key), rsa.key, /belong/);
      const old = made.make("expired", { days: -1 });
      refused(() => load(old.cert, old.key), old.cert, /expired on 20\d\d-/);
    },
  );

  it("never tells the passphrase, nor anything of the key", { skip: NO_OPENSSL }, () => {
    const key = made.path("locked.key");
    try {
      load(good.cert, key, "not-the-passphrase");
      assert.fail("must throw");
    } catch (error) {
      const text = JSON.stringify(error, Object.getOwnPropertyNames(error));
      assert.doesNotMatch(text, /not-the-passphrase|BEGIN/);
    }
  });

  it("loads authorities", { skip: NO_OPENSSL }, () => {
    const pem = pemOf(good.cert, "certificate authority", "tls.ca");
    const certificates = loadCertificates(pem);
    assert.equal(certificates.addresses.length, 1);
    certificates.free();
  });
});
