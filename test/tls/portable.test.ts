import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { configureTls } from "../../src/tls/options.ts";
import { portableTls } from "../../src/tls/portable.ts";
import { CERTIFICATE, KEY } from "../_kit/certificate.ts";
import { Certificates, NO_OPENSSL } from "./_certificates.ts";

/** Loading must fail with an error that names `file` and says `reason`. */
function refused(tls: Parameters<typeof configureTls>[0], file: string, reason: RegExp): void {
  assert.throws(() => portableTls(configureTls(tls)), (error: Error & { file: string }) => {
    assert.equal(error.name, "CertificateError");
    assert.equal(error.file, file);
    assert.match(error.message, reason);
    return true;
  });
}

describe("portableTls()", () => {
  it("takes the certificate and the key", () => {
    const { hosts, options } = portableTls(configureTls({ cert: CERTIFICATE, key: KEY }));
    assert.deepEqual(hosts, []);
    assert.deepEqual(options.ALPNProtocols, ["http/1.1"]);
    assert.equal(options.minVersion, "TLSv1.2");
  });

  it("refuses what is not valid today", () => {
    const config = configureTls({ cert: CERTIFICATE, key: KEY });
    assert.throws(() => portableTls(config, Date.UTC(2127, 0)), /expired on 2126-10-28T01:57:30Z/);
    assert.throws(() => portableTls(config, Date.UTC(2020, 0)), /not valid before/);
  });
});

describe("portableTls() of files", { skip: NO_OPENSSL }, () => {
  let made: Certificates;
  before(() => {
    if (!NO_OPENSSL) made = new Certificates();
  });
  after(() => made?.remove());

  it("says what OpenSSL's loader says", { skip: NO_OPENSSL }, () => {
    const good = made.make("good");
    const other = made.make("other");
    const old = made.make("expired", { days: -1 });
    const missing = made.path("missing.pem");
    refused({ ...good, cert: missing }, missing, /ENOENT/);
    refused({ ...good, key: other.key }, other.key, /does not belong to the certificate/);
    refused(old, old.cert, /expired/);
    refused({ ...good, cert: good.key }, good.key, /no certificate in PEM form/);
    refused({ ...good, key: good.cert }, good.cert, /no private key in PEM form/);
    made.run("pkcs8", "-topk8", "-in", "good.key", "-out", "locked.key", "-passout", "pass:sesame");
    const key = made.path("locked.key");
    refused({ ...good, key }, key, /encrypted, and no passphrase/);
    refused({ ...good, key, passphrase: "wrong" }, key, /passphrase is wrong/);
    portableTls(configureTls({ ...good, key, passphrase: "sesame" }));
  });
});
