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
  [{ headers: [{ path: "a", headers: {} }] }, /^TypeError: .* path "a": it must begin with "\/"$/],
  [{ headers: [{ path: "/*/*", headers: {} }] }, /^TypeError: .* more than one "\*"$/],
  [{ headers: [{ path: "/", headers: { ETag: "x" } }] }, /^TypeError: .*"ETag" as the name/],
  [{ redirects: {} }, /^TypeError: Cannot serve files: redirects must be a list/],
  [
    { redirects: [{ from: "/a", to: "b" }] },
    /^TypeError: Cannot redirect "\/a": "b" is not a path/,
  ],
  [{ redirects: [{ from: "/a", to: "//b.example" }] }, /^TypeError: Cannot redirect/],
  [{ redirects: [{ from: "/a/:x", to: "https://:x/" }] }, /^TypeError: Cannot redirect/],
  [{ redirects: [{ from: "/a/:x", to: "https://a.example:x/" }] }, /^TypeError: Cannot redirect/],
  [{ redirects: [{ from: "/a/*", to: "https://a.example:splat" }] }, /^TypeError: Cannot redirect/],
  [{ redirects: [{ from: "/a", to: "/b\r\n" }] }, /^TypeError: Cannot redirect/],
  [{ redirects: [{ from: "/a", to: "/b", status: 305 }] }, /^TypeError: .* status is number 305/],
  [{ redirects: [{ from: "/a", to: "https://b/", status: 200 }] }, /^TypeError: .* needs a file/],
  [{ notFound: true }, /^TypeError: .*notFound must be a path, not boolean true$/],
  [{ notFound: "" }, /^TypeError: .*notFound must be a relative path/],
  [{ only: "/etc/passwd" }, /^TypeError: .*only must be a relative path/],
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
