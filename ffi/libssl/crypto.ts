/** Functions of libcrypto. libssl depends on it, so dlsym(3) finds them through libssl's handle. @module */

import type { Signature } from "../types.ts";

export const CRYPTO = {
  /** `const char *OpenSSL_version(int type)` */
  OpenSSL_version: { args: ["i32"], returns: "i64" },
  /** `unsigned long OpenSSL_version_num(void)` */
  OpenSSL_version_num: { args: [], returns: "i64" },
  /** `void ERR_clear_error(void)` */
  ERR_clear_error: { args: [], returns: "void" },
  /** `unsigned long ERR_get_error(void)` */
  ERR_get_error: { args: [], returns: "i64" },
  /** `void ERR_error_string_n(unsigned long error, char *target, size_t length)` */
  ERR_error_string_n: { args: ["u64", "buffer", "u64"], returns: "void" },
  /** `BIO *BIO_new(const BIO_METHOD *method)` */
  BIO_new: { args: ["address"], returns: "i64" },
  /** `const BIO_METHOD *BIO_s_mem(void)` */
  BIO_s_mem: { args: [], returns: "i64" },
  /** `const BIO_METHOD *BIO_s_socket(void)` */
  BIO_s_socket: { args: [], returns: "i64" },
  /** `BIO *BIO_new_socket(int fd, int close)` */
  BIO_new_socket: { args: ["i32", "i32"], returns: "i64" },
  /** `int BIO_new_bio_pair(BIO **first, size_t firstRoom, BIO **second, size_t secondRoom)` */
  BIO_new_bio_pair: { args: ["address", "u64", "address", "u64"], returns: "i32" },
  /** `int BIO_nread0(BIO *bio, char **bytes)`: what a pair holds, and where */
  BIO_nread0: { args: ["address", "address"], returns: "i32" },
  /** `int BIO_nread(BIO *bio, char **bytes, int most)`: takes bytes where they lie in a pair */
  BIO_nread: { args: ["address", "address", "i32"], returns: "i32" },
  /** `BIO *BIO_new_file(const char *path, const char *mode)` */
  BIO_new_file: { args: ["buffer", "buffer"], returns: "i64" },
  /** `int BIO_free(BIO *bio)` */
  BIO_free: { args: ["address"], returns: "i32" },
  /** `int BIO_up_ref(BIO *bio)` */
  BIO_up_ref: { args: ["address"], returns: "i32" },
  /** `int BIO_read(BIO *bio, void *target, int length)` */
  BIO_read: { args: ["address", "address", "i32"], returns: "i32" },
  /** `int BIO_write(BIO *bio, const void *source, int length)` */
  BIO_write: { args: ["address", "address", "i32"], returns: "i32" },
  /** `long BIO_ctrl(BIO *bio, int cmd, long larg, void *parg)` */
  BIO_ctrl: { args: ["address", "i32", "i64", "address"], returns: "i64" },
  /** `int BIO_test_flags(const BIO *bio, int flags)` */
  BIO_test_flags: { args: ["address", "i32"], returns: "i32" },
  /** `X509 *PEM_read_bio_X509(BIO *bio, X509 **out, pem_password_cb *callback, void *passphrase)` */
  PEM_read_bio_X509: { args: ["address", "address", "address", "buffer"], returns: "i64" },
  /** `EVP_PKEY *PEM_read_bio_PrivateKey(BIO *, EVP_PKEY **, pem_password_cb *, void *passphrase)` */
  PEM_read_bio_PrivateKey: { args: ["address", "address", "address", "buffer"], returns: "i64" },
  /** `int PEM_read_bio(BIO *bio, char **name, char **header, unsigned char **data, long *length)` */
  PEM_read_bio: { args: ["address", "address", "address", "address", "address"], returns: "i32" },
  /** `int i2d_X509(X509 *certificate, unsigned char **out)` */
  i2d_X509: { args: ["address", "address"], returns: "i32" },
  /** `void X509_free(X509 *certificate)` */
  X509_free: { args: ["address"], returns: "void" },
  /** `int X509_check_private_key(X509 *certificate, EVP_PKEY *key)` */
  X509_check_private_key: { args: ["address", "address"], returns: "i32" },
  /** `const ASN1_TIME *X509_get0_notBefore(const X509 *certificate)` */
  X509_get0_notBefore: { args: ["address"], returns: "i64" },
  /** `const ASN1_TIME *X509_get0_notAfter(const X509 *certificate)` */
  X509_get0_notAfter: { args: ["address"], returns: "i64" },
  /** `int X509_cmp_current_time(const ASN1_TIME *time)` */
  X509_cmp_current_time: { args: ["address"], returns: "i32" },
  /** `int ASN1_TIME_to_tm(const ASN1_TIME *time, struct tm *out)` */
  ASN1_TIME_to_tm: { args: ["address", "buffer"], returns: "i32" },
  /** `int X509_STORE_add_cert(X509_STORE *store, X509 *certificate)` */
  X509_STORE_add_cert: { args: ["address", "address"], returns: "i32" },
  /** `const char *X509_verify_cert_error_string(long error)` */
  X509_verify_cert_error_string: { args: ["i64"], returns: "i64" },
  /** `void EVP_PKEY_free(EVP_PKEY *key)` */
  EVP_PKEY_free: { args: ["address"], returns: "void" },
  /** `int EVP_PKEY_is_a(const EVP_PKEY *key, const char *name)` */
  EVP_PKEY_is_a: { args: ["address", "buffer"], returns: "i32" },
  /** `int RAND_bytes(unsigned char *target, int length)` */
  RAND_bytes: { args: ["address", "i32"], returns: "i32" },
  /** `void *CRYPTO_memdup(const void *source, size_t length, const char *file, int line)` */
  CRYPTO_memdup: { args: ["address", "u64", "address", "i32"], returns: "i64" },
  /** `void CRYPTO_free(void *memory, const char *file, int line)` */
  CRYPTO_free: { args: ["address", "address", "i32"], returns: "void" },
  /** `void CRYPTO_clear_free(void *memory, size_t length, const char *file, int line)` */
  CRYPTO_clear_free: { args: ["address", "u64", "address", "i32"], returns: "void" },
} as const;

CRYPTO satisfies Record<string, Signature>;
