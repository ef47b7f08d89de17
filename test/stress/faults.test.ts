/** Every call that moves bytes, refused in every way that its manual page knows. */

import { describe } from "node:test";
import { RUNTIME } from "../_kit/targets.ts";
import { type Fault, testFault } from "../faults/_faults.ts";

const EVERY = (answers: string) => Array<string>(3).fill(`=${answers}`);
const ALL_200 = EVERY("200 200 200 200 200 200");
const ALL_RELAYED = EVERY("all all all all all all");

/** Temporary refusals: the operation succeeds in the end. */
const PASSING: readonly (readonly [deed: string, inject: string])[] = [
  ["socket", "sendfile:error=EINTR:when=2+2"],
  ["socket", "sendfile:error=EAGAIN:when=2+2"],
  ["socket", "sendfile:error=ENOMEM:when=2+2"],
  ["socket", "sendfile:error=EINVAL:when=1+1"],
  ["socket", "preadv2:error=EIO:when=1+1"],
  ["socket", "preadv2:error=EAGAIN:when=1+1"],
  ["descriptor", "sendfile:error=EAGAIN:when=2+2"],
  ["descriptor", "sendfile:error=ENOMEM:when=2+2"],
  ["pipe", "splice:error=EINTR:when=2+2"],
  ["pipe", "splice:error=EAGAIN:when=2+2"],
  ["pipe", "splice:error=ENOMEM:when=2+2"],
  ["pipe", "splice:error=EINVAL:when=1+1"],
  ["through", "splice:error=EINTR:when=2+2"],
  ["through", "splice:error=EAGAIN:when=2+2"],
  ["through", "splice:error=ENOMEM:when=2+2"],
  ["through", "splice:error=EINVAL:when=1+1"],
  // Another method continues where that one stopped.
  ["through", "splice:error=EIO:when=3"],
  ["fileToFile", "splice:error=EIO:when=2"],
  ["fileToFile", "splice:error=ENOMEM:when=2+2"],
  ["copy", "splice:error=EIO:when=3"],
  ["copy", "splice:error=EINTR:when=2+2"],
  ["copyRange", "copy_file_range:error=EINTR:when=1+2"],
  ["copyRange", "copy_file_range:error=EAGAIN:when=1+2"],
  ["copySendfile", "sendfile:error=EINTR:when=1+2"],
  ["ring", "io_uring_enter:error=EINTR:when=3+2"],
  ["copySendfile", "sendfile:error=ENOMEM:when=2+2"],
  ["response", "sendfile:error=ENOMEM:when=2+2"],
  ["broadcast", "sendfile:error=ENOMEM:when=2+2"],
  ["broadcastPipe", "splice:error=ENOMEM:when=2+2"],
  ["stream", "sendfile:error=EINTR:when=2+2"],
  ["stream", "sendfile:error=ENOMEM:when=2+2"],
];

const FAULTS: readonly Fault[] = [
  ...PASSING.map(([deed, inject]) => ({ deed, inject, ends: "done" as const })),
  // Each waits for 10 seconds.
  {
    deed: "socket",
    inject: "sendfile:error=ENOMEM:when=3+",
    ends: Array<string>(3).fill("ENOMEM"),
  },
  { deed: "socket", inject: "sendfile:error=EIO:when=3", ends: ["EIO", "=sendfile", "=sendfile"] },
  {
    deed: "descriptor",
    inject: "sendfile:error=EIO:when=3",
    ends: ["EIO", "=sendfile", "=sendfile"],
  },
  { deed: "pipe", inject: "splice:error=EIO:when=3", ends: ["EIO", "=splice", "=splice"] },
  {
    deed: "copyRange",
    inject: "copy_file_range:error=EIO:when=2",
    ends: ["=range", "EIO", "=range"],
  },
  {
    deed: "copySendfile",
    inject: "sendfile:error=EIO:when=2",
    ends: ["=sendfile", "EIO", "=sendfile"],
  },
  {
    deed: "copyMmap",
    inject: "mmap:error=ENOMEM:when=1",
    own: true,
    ends: ["ENOMEM", "=mmap", "=mmap"],
  },
  { deed: "map", inject: "mmap:error=ENOMEM:when=1", own: true, ends: ["ENOMEM", "=", "="] },
  { deed: "map", inject: "msync:error=EIO:when=1", ends: ["EIO", "=", "="] },
  {
    deed: "threads",
    inject: "fsync:error=EIO:when=1",
    own: true,
    ends: { some: "EIO" },
  },
  // Each time the server has another thread, whose third call fails.
  {
    deed: "server",
    inject: "sendfile:error=EIO:when=3",
    ends: EVERY("cut 200 200 200 200 200"),
  },
  { deed: "server", inject: "sendfile:error=EINTR:when=2+2", ends: ALL_200 },
  { deed: "server", inject: "sendfile:error=EAGAIN:when=2+2", ends: ALL_200 },
  { deed: "server", inject: "sendfile:error=ENOMEM:when=2+2", ends: ALL_200 },
  { deed: "server", inject: "sendfile:error=EINVAL:when=1+1", ends: ALL_200 },
  { deed: "server", inject: "accept4:error=ENOMEM:when=2+3", ends: ALL_200 },
  { deed: "server", inject: "accept4:error=ECONNABORTED:when=2+3", ends: ALL_200 },
  { deed: "server", inject: "accept4:error=EIO:when=2+3", ends: ALL_200 },
  { deed: "server", inject: "accept4:error=EACCES:when=2+3", ends: ALL_200 },
  { deed: "server", inject: "openat2:error=EAGAIN:when=2+2", ends: ALL_200 },
  {
    deed: "server",
    inject: "openat2:error=EMFILE:when=2+1",
    ends: EVERY("503 503 503 503 503 503"),
  },
  { deed: "server", inject: "preadv2:error=EIO:when=1+1", ends: ALL_200 },
  { deed: "relay", inject: "splice:error=EINTR:when=2+2", ends: ALL_RELAYED },
  // Not EAGAIN: the kernel reports more data only after a real one.
  // No accept4 either: its upstream listens in the same process, through the runtime.
];

describe(`what the kernel refuses, on ${RUNTIME}`, () => FAULTS.forEach(testFault));
