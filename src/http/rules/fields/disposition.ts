/** The file name of a download: RFC 6266 and RFC 8187. @module */

/** Characters that `encodeURIComponent` keeps and RFC 8187, 3.2.1 wants escaped. */
const ESCAPED_TOO = /['()*]/g;

/**
 * Returns a Content-Disposition value that makes browsers save the file under a name.
 *
 * Gives the name twice if it is not plain ASCII: in UTF-8, which clients support since 2011, and in
 * ASCII.
 */
export function attachment(name: string): string {
  const clean = name.toWellFormed();
  const ascii = clean.replace(/[^\x20-\x7e]/gu, "_").replace(/["\\]/g, "\\$&");
  // Some clients decode %xx in the plain name, so a name with "%" is given in both forms.
  if (!clean.includes("%") && clean === ascii.replace(/\\(.)/g, "$1")) {
    return `attachment; filename="${ascii}"`;
  }
  const encoded = encodeURIComponent(clean).replace(
    ESCAPED_TOO,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii.replaceAll("%", "_")}"; filename*=UTF-8''${encoded}`;
}
