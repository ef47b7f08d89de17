/**
 * A background thread of a server, which waits for disks and other machines so that serving threads do
 * not.
 *
 * @module
 */

import { setThreadPriority } from "../../../sys/raw/events.ts";
import type { JobContext } from "../../../threads/job.ts";
import { closeSink, openSink, populate } from "../../../page_cache/populate.ts";
import { SANDBOXED } from "../control/config.ts";
import { type ListingJobData, serveListings } from "../listing/listing_thread.ts";
import { type RemoteJobData, serveRemote } from "../remote/remote_thread.ts";
import { type ArchiveJobData, serveArchives } from "../archive/archive_thread.ts";
import { serveUploads, type UploadJobData } from "../upload/upload_thread.ts";
import { answerOf, requestOf } from "../thread/prefetch_client.ts";
import { restrictThread } from "../thread/sandbox.ts";
import { serveFrames } from "./frame_server.ts";

/** Reading from a fast disk takes a whole processor: serving threads get priority. */
const NICE = 5;

/**
 * Answers the requests that come through each of `job.fds`: with {@linkcode ListingJobData} the thread
 * reads folders, with {@linkcode RemoteJobData} files of other machines as well; with
 * {@linkcode UploadJobData} it stores files, with {@linkcode ArchiveJobData} it makes archives. Else it
 * reads ranges of files into the page cache, one after the other.
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
  try {
    serveFrames(job, {
      answer(message) {
        const { fd, length, offset } = requestOf(message);
        return answerOf(populate(fd, offset, length));
      },
    });
  } finally {
    closeSink();
  }
}
