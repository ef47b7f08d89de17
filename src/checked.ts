/**
 * What came from a caller and was read once.
 *
 * A property may be a getter, and an object a Proxy: whoever checks a property and then reads it again
 * has checked something else. So public functions copy what they are given first, and the code behind
 * them takes `Checked` values only, which nothing else makes.
 *
 * @module
 */

declare const checked: unique symbol;

/** A copy of a caller's object: each property was read once, and is a plain value now. */
export type Checked<T> = T & { readonly [checked]: true };

/** The names of all properties; TypeScript reports one that is missing here. */
export type Names<T> = { readonly [K in keyof Required<T>]: true };

/**
 * Copies options, and reads each of them once. What is no object is returned as it is: the check of the
 * options then refuses it.
 *
 * @param names The names of all options. A spread (`{ ...options }`) would leave out inherited ones.
 */
export function ownOptions<T extends object>(options: T, names: Names<T>): Checked<T> {
  if (typeof options !== "object" || options === null) return options;
  const own: Record<string, unknown> = {};
  for (const name in names) {
    const value = options[name];
    if (value !== undefined) own[name] = value;
  }
  return own as Checked<T>;
}

/** Copies a list, and reads its length and each of its items once. */
export function ownList<T>(list: readonly T[]): T[] {
  const { length } = list;
  const own: T[] = [];
  // Not by an iterator or a method: they are the caller's, too.
  for (let index = 0; index < length; index++) own.push(list[index]!);
  return own;
}
