/**
 * A self-signed certificate for `localhost` and its key, for encrypted connections in tests.
 *
 * `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500`
 *
 * @module
 */

export const CERTIFICATE: string = `-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUTzzzGOk3k2Ge+E9ixwjjFCb7aPcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAxNTczMFoYDzIxMjYxMDI4
MDE1NzMwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT3suKSFoIBmFVq2aAyUGM+doUikQrX0RJJvcA1A8EPuXzwO04dFUrD
SEfYsYTLtany/Ti8nEKSYogksx578oZno2wwajAdBgNVHQ4EFgQUgRvT17DIDPP+
E8G15YfdoY8SbPUwHwYDVR0jBBgwFoAUgRvT17DIDPP+E8G15YfdoY8SbPUwGgYD
VR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0E
AwIDSAAwRQIgV1NNOPi9LJWJIFEMWqqw2FGHsAj530UToKYZP9PFobQCIQCwxeI7
jgjCum+RNs4Eq6MrXvPxG8yo5TOiZiOXpL7bKw==
-----END CERTIFICATE-----
`;

/** Protects nothing: the key is public. */
export const KEY: string = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgalZYT+KcdOKuAzaW
Z1vXZX8MDn+rrqTuop0N4fujupChRANCAAT3suKSFoIBmFVq2aAyUGM+doUikQrX
0RJJvcA1A8EPuXzwO04dFUrDSEfYsYTLtany/Ti8nEKSYogksx578oZn
-----END PRIVATE KEY-----
`;
