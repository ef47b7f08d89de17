import { dataSuite } from "./_direct_data.ts";

dataSuite("ring");
