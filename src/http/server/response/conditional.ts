/** Responses to conditional and range requests for cached files. @module */

import { planFile } from "../../rules/plan.ts";
import { type Entry, equal } from "./cache.ts";
import { CONDITIONAL, Field } from "../parser/field_names.ts";
import { replyTo } from "./cached_file.ts";
import type { SearchRequest } from "./finder.ts";
import { partOf } from "./range_response.ts";
import type { Reply } from "./response.ts";
import type { RequestHead } from "../parser/request_head.ts";

/** Answers a conditional or range request for a cached file. */
export function conditional(head: RequestHead, entry: Entry): Reply {
  const only = (head.known & CONDITIONAL) === Field.IF_NONE_MATCH &&
    (head.twice & Field.IF_NONE_MATCH) === 0;
  const place = only ? head.place(Field.IF_NONE_MATCH)! : undefined;
  if (place !== undefined && entry.condition !== null) {
    if (equal(head.bytes, place[0], place[1], entry.condition)) return entry.unchanged!;
  }
  const part = partOf(head, entry);
  if (part !== null) return part;
  const plan = planFile(requestOf(head), entry.representation);
  if (plan === entry.representation.whole || plan === entry.representation.head) {
    return entry.reply;
  }
  const reply = replyTo(plan, entry);
  if (place !== undefined && plan.status === 304) {
    entry.condition = head.bytes.slice(place[0], place[1]);
    entry.unchanged = reply;
    reply.kept = true;
  }
  return reply;
}

/** The request in a head. With `plain`, includes only fields that choose a representation. */
export function requestOf(head: RequestHead, plain = false): SearchRequest {
  let source = head;
  return {
    method: head.methodName,
    target: head.target,
    header: (name) => plain && !name.startsWith("accept") ? undefined : source.header(name),
    detach: () => void (source = source === head ? head.copy() : source),
  };
}
