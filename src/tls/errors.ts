/** The error for a certificate or a key that a server cannot use. @module */

/** Arguments of {@linkcode CertificateError}. */
export interface CertificateErrorOptions extends ErrorOptions {
  /** Purpose of the file, such as `"certificate"` or `"private key"`. */
  what: string;
  /** Path of the file, or the name of the option if it was not passed as a file. */
  file: string;
  /** The problem, and the remedy. */
  reason: string;
}

/** A certificate, a private key or another file for TLS that cannot be used. */
export class CertificateError extends Error {
  /** Always `"CertificateError"`. */
  override readonly name: string = "CertificateError";
  /** Always `"ERR_SLUICE_CERTIFICATE"`. */
  readonly code: string = "ERR_SLUICE_CERTIFICATE";
  /** Path of the file, or the name of the option if it was not passed as a file. */
  readonly file: string;

  /** Builds the error; the message names the file and the problem. */
  constructor({ what, file, reason, ...rest }: CertificateErrorOptions) {
    super(`Cannot use the ${what} ${file}: ${reason}`, rest);
    this.file = file;
  }
}
