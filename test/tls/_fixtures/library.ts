import { tlsLibrary } from "../../../src/tls/library.ts";

try {
  console.log(JSON.stringify(tlsLibrary()));
} catch (error) {
  const { code, message } = error as Error & { code: string };
  console.log(JSON.stringify({ code, error: message }));
}
