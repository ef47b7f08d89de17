/**
 * The thread that waits for the disk, so that serving threads do not: it reads requested ranges
 * into the page cache, one after the other.
 *
 * @module
 */

import { EpollEvent } from "../../../sys/flags/event.ts";
import { setThreadPriority } from "../../../sys/raw/events.ts";
import * as raw from "../../../sys/raw/mod.ts";
import type { JobContext } from "../../../threads/job.ts";
import { Loop } from "../../../threads/loop/loop.ts";
import { closeSink, openSink, populate } from "../../../page_cache/populate.ts";
import { SANDBOXED } from "../control/config.ts";
import { type ListingJobData, serveListings } from "../listing/listing_thread.ts";
import { type RemoteJobData, serveRemote } from "../remote/remote_thread.ts";
import { type ArchiveJobData, serveArchives } from "../archive/archive_thread.ts";
import { serveUploads, type UploadJobData } from "../upload/upload_thread.ts";
import { restrictThread } from "./sandbox.ts";
import { ANSWER_BYTES, REQUEST_BYTES } from "./prefetch_client.ts";

/** Reading from a fast disk takes a whole processor: serving threads get priority. */
const NICE = 5;

/**
 * Answers the requests that come through each of `job.fds`. With {@linkcode ListingJobData} the thread
 * reads folders instead, with {@linkcode RemoteJobData} files of other machines as well; with
 * {@linkcode UploadJobData} it stores files, with
 * {@linkcode ArchiveJobData} it makes archives.
 */
export function run(job: JobContext): void {
  setThreadPriority(NICE);
  if (job.data !== null && typeof job.data === "object") {
    if ("packed" in job.data) return serveArchives(job, job.data as ArchiveJobData);
    if ("uploads" in job.data) return serveUploads(job, job.data as UploadJobData);
    return "remote" in job.data
      ? serveRemote(job, job.data as RemoteJobData)
      : serveListings(job, job.data as ListingJobData);
  }
  if (job.data === SANDBOXED) {
    openSink();
    restrictThread({});
  }
  const loop = new Loop(job);
  for (const fd of job.fds) {
    const onEvents = reader(fd, loop);
    loop.add(fd, EpollEvent.IN, { onEvents });
  }
  try {
    loop.run();
  } finally {
    closeSink();
  }
}

function reader(fd: number, loop: Loop): () => void {
  const bytes = new Uint8Array(REQUEST_BYTES);
  const view = new DataView(bytes.buffer);
  const answer = new DataView(new ArrayBuffer(ANSWER_BYTES));
  return () => {
    // Requests are written and read whole; one per turn, to be fair to other threads.
    const read = raw.read(fd, bytes);
    if (read === 0) return loop.remove(fd);
    if (read !== REQUEST_BYTES) return;
    const offset = view.getFloat64(8, true);
    const length = view.getFloat64(16, true);
    const result = populate(view.getUint32(4, true), offset, length);
    answer.setUint32(0, view.getUint32(0, true), true);
    answer.setInt32(4, result, true);
    // The limit of pending requests ensures that the socket has room for the answer.
    raw.write(fd, new Uint8Array(answer.buffer));
  };
}
