import { dataSuite } from "./_direct_data.ts";
import { streamSuite } from "./_direct_streams.ts";
import { troubleSuite } from "./_direct_trouble.ts";

dataSuite("threads");
streamSuite("threads");
troubleSuite("threads");
