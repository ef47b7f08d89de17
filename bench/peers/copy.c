/*
 * Copies a small file by the calls of fs.copyFile() and of copyFile(), as a bound for what a runtime
 * can reach: what a file costs that appears under its name only when it is complete.
 *
 *   copy SOURCE FOLDER REPEATS
 *
 * Prints the milliseconds of each repetition, by the names of bench/client/copy.ts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "common.h"

enum { SCRATCH_BYTES = 256 << 10, RESERVE_BYTES = 64 << 10, WAYS = 4, MOST_REPEATS = 4096 };

static const long EXT4_MAGIC = 0xef53;
static const char *NAMES[WAYS] = {"fs.copyFile", "copyFile", "fs.copyFile, over a file",
                                  "copyFile, over a file"};
static char scratch[SCRATCH_BYTES];
static double times[WAYS][MOST_REPEATS];

/* As libuv does: the target has its name, and is incomplete, while it is written. */
static void plain(const char *from, const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int source = open(from, O_RDONLY | O_CLOEXEC);
  struct stat facts;
  if (source < 0 || fstat(source, &facts) < 0) fail(from);
  int target = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, facts.st_mode & 07777);
  struct stat there;
  if (target < 0 || fstat(target, &there) < 0) fail(path);
  if (ftruncate(target, 0) < 0 || fchmod(target, facts.st_mode & 07777) < 0) fail(path);
  for (off_t left = facts.st_size; left > 0;) {
    ssize_t moved = copy_file_range(source, NULL, target, NULL, left, 0);
    if (moved <= 0) fail("copy_file_range");
    left -= moved;
  }
  close(target);
  close(source);
}

/* As copyFile() does: the file has no name until it is complete. */
static void whole(const char *from, const char *folder, const char *name) {
  int source = open(from, O_RDONLY | O_CLOEXEC);
  int place = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct stat facts;
  struct stat there;
  struct statfs system;
  if (source < 0 || place < 0 || fstatfs(place, &system) < 0) fail(folder);
  int exists = fstatat(place, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (fstat(source, &facts) < 0) fail(from);
  int target = openat(place, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, facts.st_mode & 0777);
  if (target < 0) fail("O_TMPFILE");
  int reserved = system.f_type == EXT4_MAGIC && facts.st_size >= RESERVE_BYTES;
  if (reserved && fallocate(target, FALLOC_FL_KEEP_SIZE, 0, facts.st_size) < 0) fail("fallocate");
  for (off_t at = 0; at < facts.st_size;) {
    ssize_t count = pread(source, scratch, sizeof scratch, at);
    if (count <= 0 || pwrite(target, scratch, count, at) != count) fail("copy");
    at += count;
  }
  if (fchmod(target, facts.st_mode & 0777) < 0) fail("fchmod");
  char own[64];
  snprintf(own, sizeof own, "/proc/self/fd/%d", target);
  if (!exists) {
    if (linkat(AT_FDCWD, own, place, name, AT_SYMLINK_FOLLOW) < 0) fail("linkat");
  } else {
    if (reserved) sync_file_range(target, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (linkat(AT_FDCWD, own, place, ".hidden", AT_SYMLINK_FOLLOW) < 0) fail("linkat");
    if (renameat(place, ".hidden", place, name) < 0) fail("renameat");
  }
  close(target);
  close(place);
  close(source);
}

static void make_file(const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0 || write(file, scratch, 64 << 10) != 64 << 10) fail(path);
  close(file);
}

int main(int argc, char **argv) {
  if (argc != 4 || atoi(argv[3]) > MOST_REPEATS) return 2;
  int repeats = atoi(argv[3]);
  for (int round = -repeats / 5; round < repeats; round++) {
    /* The order rotates, because each copy also pays for writing back the previous one. */
    for (int turn = 0; turn < WAYS; turn++) {
      int way = (turn + round + repeats) % WAYS;
      char name[64];
      char path[4096];
      snprintf(name, sizeof name, "c-%d-%d", way, round + repeats);
      snprintf(path, sizeof path, "%s/%s", argv[2], name);
      if (way >= 2) make_file(path);
      double started = wall_ms();
      (way % 2 == 0 ? plain : whole)(argv[1], argv[2], name);
      if (round >= 0) times[way][round] = wall_ms() - started;
      if (unlink(path) < 0) fail(path);
    }
  }
  for (int way = 0; way < WAYS; way++) {
    printf("%s\"%s\":[", way == 0 ? "{" : ",", NAMES[way]);
    for (int round = 0; round < repeats; round++) {
      printf("%s%.4f", round == 0 ? "" : ",", times[way][round]);
    }
    printf("]");
  }
  printf("}\n");
  return 0;
}
