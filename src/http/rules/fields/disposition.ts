/** The name under which a browser saves a download: RFC 6266 and RFC 8187. @module */

/** What RFC 8187, 3.2.1 lets stand unescaped, and `encodeURIComponent` leaves alone. */
const ESCAPED_TOO = /['()*]/g;

/**
 * Value of a Content-Disposition header that has a file saved under a name.
 *
 * The name is given twice where it must be: in UTF-8 for everybody since 2011, and in ASCII.
 */
export function attachment(name: string): string {
  const clean = name.toWellFormed();
  const ascii = clean.replace(/[^\x20-\x7e]/gu, "_").replace(/["\\]/g, "\\$&");
  // Some clients decode %xx in the plain name, others do not: with one, both names are given.
  if (!clean.includes("%") && clean === ascii.replace(/\\(.)/g, "$1")) {
    return `attachment; filename="${ascii}"`;
  }
  const encoded = encodeURIComponent(clean).replace(
    ESCAPED_TOO,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii.replaceAll("%", "_")}"; filename*=UTF-8''${encoded}`;
}
