/** The error for a certificate or a key that a server cannot use. @module */

/** What is wrong with which file. */
export interface CertificateErrorOptions extends ErrorOptions {
  /** What it was to be, such as `"certificate"` or `"private key"`. */
  what: string;
  /** Path of the file, or the name of the option where it was not given as a file. */
  file: string;
  /** What is wrong, and what to do about it. */
  reason: string;
}

/** A certificate, a private key or another file for TLS that cannot be used. */
export class CertificateError extends Error {
  /** Always `"CertificateError"`. */
  override readonly name: string = "CertificateError";
  /** Always `"ERR_SLUICE_CERTIFICATE"`. */
  readonly code: string = "ERR_SLUICE_CERTIFICATE";
  /** Path of the file, or the name of the option where it was not given as a file. */
  readonly file: string;

  /** Builds the error; the message names the file and what is wrong with it. */
  constructor({ what, file, reason, ...rest }: CertificateErrorOptions) {
    super(`Cannot use the ${what} ${file}: ${reason}`, rest);
    this.file = file;
  }
}
