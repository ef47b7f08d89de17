/** The same rules for requests without foreign functions: the suites of the server, once more. */

import "../http/server/fallback_rules.test.ts";
import "../http/spellings.test.ts";
import "../move/upstream_names.test.ts";
