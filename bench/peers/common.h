/* What the C programs share. Include it last, after _GNU_SOURCE. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((unused)) static void fail(const char *what) {
  perror(what);
  exit(1);
}

__attribute__((unused)) static double wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}
