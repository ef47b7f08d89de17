/** Patterns of paths, as in the files `_headers` and `_redirects` of static hosts. @module */

/** What the placeholders of a pattern stand for in a path, by name; `splat` for the asterisk. */
export type Captures = Readonly<Record<string, string>>;

/** Returns what the placeholders stand for, or `undefined` if the path does not match. */
export type Matcher = (path: string) => Captures | undefined;

const NONE: Captures = Object.freeze({});

/**
 * Compiles a pattern, which begins with a slash: `:name` stands for one name, one `*` for anything.
 *
 * @throws {TypeError} When it is malformed.
 */
export function compilePattern(pattern: string): Matcher {
  if (typeof pattern !== "string" || pattern[0] !== "/") {
    throw new TypeError(`Cannot use the path "${pattern}": it must begin with "/"`);
  }
  if (pattern.split("*").length > 2) {
    throw new TypeError(`Cannot use the path "${pattern}": it has more than one "*"`);
  }
  if (!/[*]|\/:/.test(pattern)) return (path) => path === pattern ? NONE : undefined;
  const names: string[] = [];
  const source = pattern.replaceAll(/\*|(?<=\/):(\w+)|[.+?^${}()|[\]\\]/g, (found, name) => {
    if (found === "*" || name !== undefined) {
      names.push(name ?? "splat");
      return found === "*" ? "(.*)" : "([^/]+)";
    }
    return `\\${found}`;
  });
  const expression = new RegExp(`^${source}$`, "s");
  return (path) => {
    const match = expression.exec(path);
    if (match === null) return undefined;
    return Object.fromEntries(names.map((name, index) => [name, match[index + 1]!]));
  };
}
