/** Functions of libssl. @module */

import type { Signature } from "../types.ts";

// Frequent calls pass memory by address: see libc/cell.ts.
export const SSL = {
  /** `const SSL_METHOD *TLS_server_method(void)` */
  TLS_server_method: { args: [], returns: "i64" },
  /** `const SSL_METHOD *TLS_client_method(void)` */
  TLS_client_method: { args: [], returns: "i64" },
  /** `SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)` */
  SSL_CTX_new: { args: ["address"], returns: "i64" },
  /** `void SSL_CTX_free(SSL_CTX *ctx)` */
  SSL_CTX_free: { args: ["address"], returns: "void" },
  /** `long SSL_CTX_ctrl(SSL_CTX *ctx, int cmd, long larg, void *parg)` */
  SSL_CTX_ctrl: { args: ["address", "i32", "i64", "address"], returns: "i64" },
  /** `long SSL_CTX_callback_ctrl(SSL_CTX *ctx, int cmd, void (*callback)(void))` */
  SSL_CTX_callback_ctrl: { args: ["address", "i32", "address"], returns: "i64" },
  /** `uint64_t SSL_CTX_set_options(SSL_CTX *ctx, uint64_t options)` */
  SSL_CTX_set_options: { args: ["address", "u64"], returns: "i64" },
  /** `int SSL_CTX_set_cipher_list(SSL_CTX *ctx, const char *list)` */
  SSL_CTX_set_cipher_list: { args: ["address", "buffer"], returns: "i32" },
  /** `int SSL_CTX_set_ciphersuites(SSL_CTX *ctx, const char *list)` */
  SSL_CTX_set_ciphersuites: { args: ["address", "buffer"], returns: "i32" },
  /** `int SSL_CTX_set_num_tickets(SSL_CTX *ctx, size_t count)` */
  SSL_CTX_set_num_tickets: { args: ["address", "u64"], returns: "i32" },
  /** `long SSL_CTX_set_timeout(SSL_CTX *ctx, long seconds)` */
  SSL_CTX_set_timeout: { args: ["address", "i64"], returns: "i64" },
  /** `int SSL_CTX_use_certificate(SSL_CTX *ctx, X509 *certificate)` */
  SSL_CTX_use_certificate: { args: ["address", "address"], returns: "i32" },
  /** `int SSL_CTX_use_PrivateKey(SSL_CTX *ctx, EVP_PKEY *key)` */
  SSL_CTX_use_PrivateKey: { args: ["address", "address"], returns: "i32" },
  /** `void SSL_CTX_set_verify(SSL_CTX *ctx, int mode, SSL_verify_cb callback)` */
  SSL_CTX_set_verify: { args: ["address", "i32", "address"], returns: "void" },
  /** `X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *ctx)` */
  SSL_CTX_get_cert_store: { args: ["address"], returns: "i64" },
  /** `int SSL_CTX_add_client_CA(SSL_CTX *ctx, X509 *certificate)` */
  SSL_CTX_add_client_CA: { args: ["address", "address"], returns: "i32" },
  /** `int SSL_CTX_set_session_id_context(SSL_CTX *ctx, const unsigned char *id, unsigned length)` */
  SSL_CTX_set_session_id_context: { args: ["address", "buffer", "u32"], returns: "i32" },
  /** `void SSL_CTX_set_alpn_select_cb(SSL_CTX *ctx, SSL_CTX_alpn_select_cb_func callback, void *arg)` */
  SSL_CTX_set_alpn_select_cb: { args: ["address", "address", "address"], returns: "void" },
  /** `int SSL_CTX_set_alpn_protos(SSL_CTX *ctx, const unsigned char *list, unsigned length)`; 0 is success */
  SSL_CTX_set_alpn_protos: { args: ["address", "buffer", "u32"], returns: "i32" },
  /** `SSL *SSL_new(SSL_CTX *ctx)` */
  SSL_new: { args: ["address"], returns: "i64" },
  /** `void SSL_free(SSL *ssl)` */
  SSL_free: { args: ["address"], returns: "void" },
  /** `void SSL_set_bio(SSL *ssl, BIO *input, BIO *output)`, which takes both over */
  SSL_set_bio: { args: ["address", "address", "address"], returns: "void" },
  /** `void SSL_set0_wbio(SSL *ssl, BIO *output)`, which takes it over */
  SSL_set0_wbio: { args: ["address", "address"], returns: "void" },
  /** `int SSL_free_buffers(SSL *ssl)` */
  SSL_free_buffers: { args: ["address"], returns: "i32" },
  /** `BIO *SSL_get_wbio(const SSL *ssl)` */
  SSL_get_wbio: { args: ["address"], returns: "i64" },
  /** `void SSL_set_accept_state(SSL *ssl)` */
  SSL_set_accept_state: { args: ["address"], returns: "void" },
  /** `void SSL_set_connect_state(SSL *ssl)` */
  SSL_set_connect_state: { args: ["address"], returns: "void" },
  /** `int SSL_set1_host(SSL *ssl, const char *name)`, which takes an IP address, too */
  SSL_set1_host: { args: ["address", "buffer"], returns: "i32" },
  /** `void SSL_set_hostflags(SSL *ssl, unsigned flags)` */
  SSL_set_hostflags: { args: ["address", "u32"], returns: "void" },
  /** `X509 *SSL_get1_peer_certificate(const SSL *ssl)`: a reference of the caller's own, or NULL */
  SSL_get1_peer_certificate: { args: ["address"], returns: "i64" },
  /** `long SSL_get_verify_result(const SSL *ssl)` */
  SSL_get_verify_result: { args: ["address"], returns: "i64" },
  /** `long SSL_ctrl(SSL *ssl, int cmd, long larg, void *parg)` */
  SSL_ctrl: { args: ["address", "i32", "i64", "address"], returns: "i64" },
  /** `int SSL_do_handshake(SSL *ssl)` */
  SSL_do_handshake: { args: ["address"], returns: "i32" },
  /** `int SSL_read(SSL *ssl, void *buf, int num)` */
  SSL_read: { args: ["address", "address", "i32"], returns: "i32" },
  /** `int SSL_write(SSL *ssl, const void *buf, int num)` */
  SSL_write: { args: ["address", "address", "i32"], returns: "i32" },
  /** `int SSL_shutdown(SSL *ssl)` */
  SSL_shutdown: { args: ["address"], returns: "i32" },
  /** `int SSL_get_error(const SSL *ssl, int result)` */
  SSL_get_error: { args: ["address", "i32"], returns: "i32" },
  /** `int SSL_pending(const SSL *ssl)` */
  SSL_pending: { args: ["address"], returns: "i32" },
  /** `int SSL_version(const SSL *ssl)` */
  SSL_version: { args: ["address"], returns: "i32" },
  /** `int SSL_session_reused(const SSL *ssl)` */
  SSL_session_reused: { args: ["address"], returns: "i32" },
  /** `SSL_SESSION *SSL_get1_session(SSL *ssl)`: a reference of the caller's own, or NULL */
  SSL_get1_session: { args: ["address"], returns: "i64" },
  /** `int SSL_set_session(SSL *ssl, SSL_SESSION *session)`, which takes a reference of its own */
  SSL_set_session: { args: ["address", "address"], returns: "i32" },
  /** `void SSL_set_shutdown(SSL *ssl, int mode)` */
  SSL_set_shutdown: { args: ["address", "i32"], returns: "void" },
  /** `int SSL_SESSION_is_resumable(const SSL_SESSION *session)` */
  SSL_SESSION_is_resumable: { args: ["address"], returns: "i32" },
  /** `void SSL_SESSION_free(SSL_SESSION *session)` */
  SSL_SESSION_free: { args: ["address"], returns: "void" },
  /** `int SSL_get_key_update_type(const SSL *ssl)` */
  SSL_get_key_update_type: { args: ["address"], returns: "i32" },
} as const;

SSL satisfies Record<string, Signature>;
