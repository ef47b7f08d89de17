/**
 * Values of a caller that were read exactly once.
 *
 * A property can be a getter, and an object can be a Proxy, so a second read can return something
 * other than what was checked. Public functions therefore copy their arguments first. The code
 * behind them takes `Checked` values, which only this module and `bytes.ts` make.
 *
 * @module
 */

declare const checked: unique symbol;

/** A copy of a caller's object, whose properties are plain values. */
export type Checked<T> = T & { readonly [checked]: true };

/** Names of all properties. TypeScript reports a missing one. */
export type Names<T> = { readonly [K in keyof Required<T>]: true };

/**
 * Copies options and reads each one once. Returns a value that is no object unchanged; the check of
 * the options refuses it later.
 *
 * @param names Names of all options. A spread (`{ ...options }`) would miss inherited ones.
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

/** Copies a list; reads its length and each item once. */
export function ownList<T>(list: readonly T[]): T[] {
  const { length } = list;
  const own: T[] = [];
  // An iterator or a method would belong to the caller, too.
  for (let index = 0; index < length; index++) own.push(list[index]!);
  return own;
}
