import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settingsOf } from "../../../src/http/rules/settings.ts";

/** Invalid options, with their error messages. */
const REFUSED: readonly (readonly [options: object, error: RegExp])[] = [
  [{ cors: 7 }, /^TypeError: Cannot serve files: cors must be an object, not number 7$/],
  [{ cors: { maxAgeSeconds: -1 } }, /^RangeError: Cannot serve files: maxAgeSeconds is .*-1$/],
  [{ cors: { maxAgeSeconds: 1.5 } }, /^RangeError: Cannot serve files: maxAgeSeconds is .*1\.5$/],
  [{ cors: { credentials: true } }, /^TypeError: .* cors with credentials must list origins/],
  [{ extensions: [""] }, /^TypeError: .*"" is not an extension$/],
  [{ extensions: ["a/b"] }, /^TypeError: .*"a\/b" is not an extension$/],
  [{ extensions: "html\0" }, /^TypeError: .* is not an extension$/],
  [{ etag: "yes" }, /^TypeError: .*etag must be true or false, not "yes"$/],
  [{ headers: 7 }, /^TypeError: Cannot use number 7 as headers: expected an object$/],
  [{ headers: null }, /^TypeError: Cannot use null as headers: expected an object$/],
];

describe("options that are refused", () => {
  for (const [options, error] of REFUSED) {
    it(JSON.stringify(options), () => {
      assert.throws(() => settingsOf(options), (thrown: Error) => {
        assert.match(String(thrown), error);
        return true;
      });
    });
  }
});
