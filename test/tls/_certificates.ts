/** Certificates for tests, made by `openssl`, in a folder that is removed at the end. @module */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const found = spawnSync("openssl", ["version"], { encoding: "utf8" });

/** Why tests that need the command cannot run. */
export const NO_OPENSSL: string | false = found.status !== 0 &&
  "the command openssl is not installed";

/** Whether there is a `curl` that can speak TLS. */
export const NO_CURL: string | false =
  !/ssl/i.test(spawnSync("curl", ["--version"], { encoding: "utf8" }).stdout ?? "") &&
  "curl with TLS is not installed";

/** Properties of a certificate. */
export interface Wish {
  readonly names?: readonly string[];
  readonly kind?: "ec" | "rsa";
  readonly days?: number;
  /** Signs it; by itself otherwise. */
  readonly issuer?: string;
  readonly ca?: boolean;
}

/** A folder of certificates. */
export class Certificates {
  readonly folder: string = mkdtempSync(join(tmpdir(), "sluice-tls-"));

  /** Path of a file of this folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file; returns its path. */
  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** Runs `openssl` in the folder; returns its output. */
  run(...args: string[]): string {
    return execFileSync("openssl", args, { cwd: this.folder, encoding: "utf8", stdio: "pipe" });
  }

  /** Makes `NAME.pem` and `NAME.key`; returns both paths. */
  make(name: string, wish: Wish = {}): { cert: string; key: string } {
    const { ca = false, days = 30, issuer = name, kind = "ec", names = ["localhost"] } = wish;
    const key = `${name}.key`;
    if (!existsSync(this.path(key))) {
      const ec = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
      const rsa = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
      this.run(...(kind === "ec" ? ec : rsa), "-out", key);
    }
    const subject = `/CN=${names[0] ?? name}`;
    this.run("req", "-new", "-key", key, "-subj", subject, "-out", `${name}.csr`);
    const alternative = names.map((n) => /^[\d.]+$/.test(n) ? `IP:${n}` : `DNS:${n}`).join(",");
    const constraints = `basicConstraints=critical,CA:${ca ? "TRUE" : "FALSE"}`;
    this.write(`${name}.ext`, `subjectAltName=${alternative}\n${constraints}\n`);
    const signed = issuer === name
      ? ["-signkey", key]
      : ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`, "-CAcreateserial"];
    const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", `${name}.ext`];
    this.run("x509", "-req", ...files, ...signed, "-days", String(days), "-sha256");
    return { cert: this.path(`${name}.pem`), key: this.path(key) };
  }

  /** Has `issuer` sign a certificate for `name` that expires in so many seconds. */
  makeShort(name: string, issuer: string, seconds: number): { cert: string; key: string } {
    const { key } = this.make(name, { issuer });
    const end = new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, "");
    const policy = `[p]\ncommonName=supplied\n`;
    const files = "database=./ca.index\nserial=./ca.serial\nnew_certs_dir=.\ndefault_md=sha256";
    this.write("ca.index", "");
    this.write("ca.serial", "01");
    this.write("ca.cnf", `[ca]\ndefault_ca=d\n[d]\n${files}\npolicy=p\n${policy}`);
    const signer = ["-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`];
    const dates = ["-startdate", "20200101000000Z", "-enddate", end];
    const request = ["-in", `${name}.csr`, "-out", `${name}.pem`];
    this.run("ca", "-batch", "-notext", "-config", "ca.cnf", ...signer, ...request, ...dates);
    return { cert: this.path(`${name}.pem`), key };
  }

  /** Removes the folder. */
  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
