/*
 * Reads 64 bytes at random offsets of a file in C, in the same ways as the runtimes. Shows what memory
 * and kernel of this machine allow.
 *
 *   mapped FILE COUNT   with the offsets of bench/client/mapped_reads.ts
 *
 * Prints one JSON object: nanoseconds per read, from the fastest of five runs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common.h"

enum { RECORD = 64, WORDS = RECORD / 4, RUNS = 5, PAGE = 4096 };

static uint32_t sum(const uint32_t *words) {
  uint32_t total = 0;
  for (int i = 0; i < WORDS; i++) total += words[i];
  return total;
}

static uint32_t *places(int count, uint32_t records) {
  uint32_t *list = malloc(count * sizeof *list);
  uint32_t state = 1;
  if (list == NULL) fail("malloc");
  for (int i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    list[i] = (uint32_t)((uint64_t)state * records >> 32);
  }
  return list;
}

static double mapped(const uint32_t *words, const uint32_t *list, int count, uint32_t *total) {
  double best = 1e18;
  for (int run = 0; run < RUNS; run++) {
    double start = wall_ms() * 1e6;
    *total = 0;
    for (int i = 0; i < count; i++) *total += sum(words + (size_t)list[i] * WORDS);
    double each = (wall_ms() * 1e6 - start) / count;
    if (each < best) best = each;
  }
  return best;
}

static double called(int fd, const uint32_t *list, int count, uint32_t *total) {
  double best = 1e18;
  uint32_t record[WORDS];
  for (int run = 0; run < RUNS; run++) {
    double start = wall_ms() * 1e6;
    *total = 0;
    for (int i = 0; i < count; i++) {
      if (pread(fd, record, RECORD, (off_t)list[i] * RECORD) != RECORD) fail("pread");
      *total += sum(record);
    }
    double each = (wall_ms() * 1e6 - start) / count;
    if (each < best) best = each;
  }
  return best;
}

static const uint32_t *map(int fd, size_t size, int advice) {
  const unsigned char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) fail("mmap");
  madvise((void *)bytes, size, advice);
  volatile unsigned char touched = 0;
  for (size_t at = 0; at < size; at += PAGE) touched += bytes[at];
  return (const uint32_t *)bytes;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int fd = open(argv[1], O_RDONLY);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0) fail(argv[1]);
  int count = atoi(argv[2]);
  size_t size = status.st_size;
  uint32_t *list = places(count, size / RECORD), in_place, by_call, in_huge;
  const uint32_t *words = map(fd, size, MADV_RANDOM);
  double mapped_ns = mapped(words, list, count, &in_place);
  double called_ns = called(fd, list, count, &by_call);
  munmap((void *)words, size);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  double huge_ns = mapped(map(fd, size, MADV_HUGEPAGE), list, count, &in_huge);
  if (in_place != by_call || in_place != in_huge) {
    fputs("three different sums\n", stderr);
    return 1;
  }
  printf("{\"inPlaceNs\":%.1f,\"hugeNs\":%.1f,\"readNs\":%.1f}\n", mapped_ns, huge_ns, called_ns);
  return 0;
}
