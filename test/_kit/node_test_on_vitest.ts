/**
 * The names that tests import from `node:test`, implemented with vitest. Only `vitest.config.ts`
 * uses this file, as an alias. It implements only what the tests use.
 *
 * @module
 */

import * as vitest from "vitest";

/** Options that the tests pass to `it` and `describe`. */
interface Options {
  /** `true`, or the reason as a string. */
  readonly skip?: string | boolean;
  /** Timeout in milliseconds. */
  readonly timeout?: number;
}

type Body = () => unknown;
/** A skipped test may have no body. */
type Rest = readonly [Body] | readonly [Options, Body?];

/** The part of `vitest.it` and `vitest.describe` that is used here. */
interface Api {
  (name: string, options: { timeout?: number }, body: Body): unknown;
  skip(name: string, body: Body): unknown;
}

function adapt(api: Api): (name: string, ...rest: Rest) => void {
  return (name, ...rest) => {
    const [first, second] = rest;
    const options = typeof first === "function" ? {} : first;
    const body = typeof first === "function" ? first : second;
    if (options.skip || body === undefined) api.skip(name, () => {});
    else api(name, options.timeout === undefined ? {} : { timeout: options.timeout }, body);
  };
}

export const describe: (name: string, ...rest: Rest) => void = adapt(vitest.describe as Api);
export const it: (name: string, ...rest: Rest) => void = adapt(vitest.it as Api);
export const test: (name: string, ...rest: Rest) => void = it;
export const before: (body: Body) => void = (body) =>
  vitest.beforeAll(async () => void await body());
export const after: (body: Body) => void = (body) => vitest.afterAll(async () => void await body());
export const beforeEach: (body: Body) => void = (body) =>
  vitest.beforeEach(async () => void await body());
export const afterEach: (body: Body) => void = (body) =>
  vitest.afterEach(async () => void await body());
