/** The same rules for requests without foreign functions: the suites of the server, once more. */

import "../http/server/proxy/https.test.ts";
import "../http/server/proxy/heads.test.ts";
import "../http/server/proxy/rules.test.ts";
import "../http/rules/spellings.test.ts";
import "../move/upstream_names.test.ts";
import "../http/server/limits.test.ts";
