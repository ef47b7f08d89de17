import assert from "node:assert/strict";
import { renameSync, unlinkSync } from "node:fs";
import { basename } from "node:path";
import { after, describe, it } from "node:test";
import * as sys from "../../src/sys/mod.ts";
import { Folder } from "../_kit/bytes.ts";
import { fails, scoped } from "../_kit/fds.ts";

const { InotifyEvent, InotifyFlag } = sys;
const folder = new Folder();
after(() => folder.remove());

/** Takes all events out of a queue. */
function eventsOf(queue: number): { watch: number; mask: number; name: string }[] {
  const buffer = Buffer.alloc(16_384);
  const count = sys.read(queue, buffer);
  const events = [];
  for (let at = 0; at < count;) {
    const length = buffer.readUInt32LE(at + 12);
    events.push({
      watch: buffer.readInt32LE(at),
      mask: buffer.readUInt32LE(at + 4),
      name: buffer.subarray(at + 16, at + 16 + length).toString().replace(/\0+$/, ""),
    });
    at += 16 + length;
  }
  return events;
}

describe("inotifyInit1(), inotifyAddWatch() and inotifyRmWatch()", () => {
  it(
    "report what happens to a file and in a folder",
    scoped((scope) => {
      const queue = scope.fd(sys.inotifyInit1(InotifyFlag.NONBLOCK | InotifyFlag.CLOEXEC));
      fails("EAGAIN", "read", () => sys.read(queue, new Uint8Array(100)));
      const path = folder.file("a");
      const file = sys.inotifyAddWatch(queue, path, InotifyEvent.MODIFY | InotifyEvent.ATTRIB);
      const names = InotifyEvent.MOVED_TO | InotifyEvent.DELETE;
      const parent = sys.inotifyAddWatch({ fd: queue }, folder.path, names);
      // Deno's appendFileSync() sets the mode, too.
      const target = sys.open(path, sys.OpenFlag.WRONLY);
      sys.write(target, Buffer.from("b"));
      sys.close(target);
      renameSync(path, `${path}.new`);
      unlinkSync(`${path}.new`);
      const name = `${basename(path)}.new`;
      assert.deepEqual(eventsOf(queue), [
        { watch: file, mask: InotifyEvent.MODIFY, name: "" },
        { watch: parent, mask: InotifyEvent.MOVED_TO, name },
        { watch: file, mask: InotifyEvent.ATTRIB, name: "" },
        { watch: file, mask: InotifyEvent.IGNORED, name: "" },
        { watch: parent, mask: InotifyEvent.DELETE, name },
      ]);
      sys.inotifyRmWatch(queue, parent);
      assert.deepEqual(eventsOf(queue), [{ watch: parent, mask: InotifyEvent.IGNORED, name: "" }]);
      fails("EINVAL", "inotify_rm_watch", () => sys.inotifyRmWatch(queue, parent));
    }),
  );

  it(
    "refuse wrong flags, paths, masks and descriptors",
    scoped((scope) => {
      const queue = scope.fd(sys.inotifyInit1());
      fails("EINVAL", "inotify_init1", () => sys.inotifyInit1(1));
      fails(
        "ENOENT",
        "inotify_add_watch",
        () => sys.inotifyAddWatch(queue, `${folder.path}/none`, InotifyEvent.MODIFY),
      );
      fails("EINVAL", "inotify_add_watch", () => sys.inotifyAddWatch(queue, folder.path, 0));
      const [pipe] = scope.pipe();
      fails(
        "EINVAL",
        "inotify_add_watch",
        () => sys.inotifyAddWatch(pipe, folder.path, InotifyEvent.MODIFY),
      );
      assert.throws(() => sys.inotifyAddWatch(queue, 1 as never, 2), TypeError);
      assert.throws(() => sys.inotifyAddWatch(queue, folder.path, -1), RangeError);
      assert.throws(() => sys.inotifyRmWatch(queue, -1), RangeError);
    }),
  );
});
