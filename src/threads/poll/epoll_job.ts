/** The thread that waits for descriptors: see epoll_set.ts. @module */

import { EINTR } from "../../errno.ts";
import { check } from "../../sys/check.ts";
import { EpollEvent, EpollOp } from "../../sys/flags/event.ts";
import { epollCtl, EventList } from "../../sys/raw/events.ts";
import type { JobContext } from "../job.ts";

/** Tag of the eventfd in the set; waits are numbered from 1. */
const WAKE = 0;

/** Reports each event of the epoll set `job.fds[0]` as a completion: its tag and its bits. */
export function run(job: JobContext): void {
  const epoll = job.fds[0]!;
  const list = new EventList(256);
  check(
    epollCtl(epoll, EpollOp.ADD, job.wakeFd, EpollEvent.IN, WAKE),
    "epoll_ctl",
    () => "watch the eventfd",
  );
  while (!job.stopping()) {
    const count = list.wait(epoll, job.parkMs);
    if (count < 0 && count !== EINTR) check(count, "epoll_wait", () => "wait for descriptors");
    for (let i = 0; i < count; i++) {
      if (list.tag(i) === WAKE) job.commands();
      else job.complete(list.tag(i), list.events(i));
    }
    job.flush();
  }
}
