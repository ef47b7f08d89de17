/** The content security policy of generated pages. @module */

import { builtin } from "../../builtins.ts";

const hashes = new Map<string, string>();

/**
 * Returns a `meta` element that allows only these inline scripts and styles, and images and media of
 * the same server. With `connects`, scripts may connect to it; with `appended`, scripts of the same server may run, too.
 */
export function policy(
  { appended, connects = false, scripts, styles }: {
    readonly appended: boolean;
    readonly connects?: boolean;
    readonly scripts: readonly string[];
    readonly styles: readonly string[];
  },
): string {
  const self = appended ? ["'self'"] : [];
  const rules = [
    "default-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "img-src 'self' data:",
    "media-src 'self'",
    `style-src ${styles.map(hashOf).join(" ")}`,
    ...scripts.length + self.length > 0
      ? [`script-src ${[...scripts.map(hashOf), ...self].join(" ")}`]
      : [],
    ...appended || connects ? ["connect-src 'self'"] : [],
  ];
  return `<meta http-equiv="Content-Security-Policy" content="${rules.join("; ")}">`;
}

function hashOf(text: string): string {
  let hash = hashes.get(text);
  if (hash === undefined) {
    hash = `'sha256-${builtin("crypto").createHash("sha256").update(text).digest("base64")}'`;
    hashes.set(text, hash);
  }
  return hash;
}
