/** Spellings of one path, as an attacker tries them to pass a guard. @module */

/** Content of the protected file. */
export const PRIVATE = "what the guard protects";

const HEX = (character: string) => `%${character.charCodeAt(0).toString(16)}`;

/** One character of a path, escaped in every way. */
function escapes(text: string): string[] {
  const found = [text.replace(/[^/]/g, HEX), text.replace(/./g, HEX)];
  for (let i = 0; i < text.length; i++) {
    for (
      const escape of [HEX(text[i]!), HEX(text[i]!).toUpperCase(), `%25${HEX(text[i]!).slice(1)}`]
    ) {
      found.push(text.slice(0, i) + escape + text.slice(i + 1));
    }
  }
  return found;
}

/** Paths that some reader takes for `/private/s.txt`. */
const PATHS: readonly string[] = [
  ...escapes("/private/s.txt"),
  "//private/s.txt",
  "///private/s.txt",
  "/private//s.txt",
  "/./private/s.txt",
  "/private/./s.txt",
  "/private/../private/s.txt",
  "/x/../private/s.txt",
  "/x/%2e%2e/private/s.txt",
  "/x/.%2E/private/s.txt",
  "/%2e/private/s.txt",
  "/..//private/s.txt",
  "/\\private/s.txt",
  "\\private\\s.txt",
  "/private\\s.txt",
  "/%5cprivate/s.txt",
  "/x\\..\\private\\s.txt",
  "/PRIVATE/s.txt",
  "/private/S.TXT",
  "/private/s.txt/",
  "/private/s.txt/.",
  "/private/s.txt%00",
  "/private/s.txt%00.html",
  "/private%00/s.txt",
  "/private;x=1/s.txt",
  "/private/s.txt;x=1",
  "/;/private/s.txt",
  "/x/..;/private/s.txt",
  "/%c0%afprivate/s.txt",
  "/%u0070rivate/s.txt",
  "/private/%73.txt",
  "private/s.txt",
  "",
  "/",
  "?/private/s.txt",
  "/private",
  "/private/",
];

const AUTHORITIES: readonly string[] = [
  "",
  "h",
  "h:80",
  "h:",
  ":80",
  "h:x",
  "u@h",
  "u:p@h",
  "a,b",
  "a b",
  "[::1]",
  "[::1]:80",
  "[[]x]",
  "[x]",
  "evil:80:80",
  "h%2fprivate",
  "h\\private",
  ";",
  "h;x",
  "h!",
  "h$&'()*+,;=~",
  "~",
  "h'",
  "h?",
  "h#",
  "localhost:1\t",
];

/** Targets of requests for it, in every form. */
export function spellings(): string[] {
  const targets = new Set<string>();
  const some = PATHS.filter((path, i) => i % 7 === 0 || !path.includes("%"));
  for (const path of ["/private/s.txt", ...PATHS]) {
    for (const after of ["", "?", "?a=/x", "#x", "%23", "%3f"]) targets.add(path + after);
    for (const scheme of ["http://h", "HTTP://h", "hTTps://localhost"]) targets.add(scheme + path);
  }
  for (const path of ["/private/s.txt", ...some]) {
    for (const authority of AUTHORITIES) targets.add(`http://${authority}${path}`);
    for (const start of ["//h", "//u@h", "http:", "http:/", "ftp://h", "http+unix://h", "*", " "]) {
      targets.add(start + path);
    }
  }
  return [...targets].filter((target) => target !== "");
}
