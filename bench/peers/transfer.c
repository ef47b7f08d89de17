/*
 * Makes the calls of transfer() in C, as a bound for what a runtime can reach.
 *
 *   transfer through SOURCE TARGET REPEATS   file -> pipe of 1 MiB -> file, by splice(2)
 *   transfer send SOURCE PORT REPEATS        file -> TCP socket on the loopback interface, by sendfile(2)
 *
 * Prints one JSON array with the milliseconds of each repetition, and its CPU time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common.h"

enum { PIPE_BYTES = 1 << 20, SEND_BYTES = 512 << 10 };

static double cpu_ms(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static void through(int source, const char *path) {
  int ends[2];
  int target = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (target < 0 || pipe2(ends, O_CLOEXEC) < 0) fail(path);
  fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
  loff_t offset = 0;
  for (;;) {
    ssize_t held = splice(source, &offset, ends[1], NULL, PIPE_BYTES, 0);
    if (held < 0) fail("splice");
    if (held == 0) break;
    while (held > 0) {
      ssize_t moved = splice(ends[0], NULL, target, NULL, held, 0);
      if (moved <= 0) fail("splice");
      held -= moved;
    }
  }
  close(ends[0]);
  close(ends[1]);
  close(target);
}

static void send_all(int source, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  off_t offset = 0;
  for (;;) {
    ssize_t sent = sendfile(fd, source, &offset, SEND_BYTES);
    if (sent < 0) fail("sendfile");
    if (sent == 0) break;
  }
  close(fd);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  int source = open(arguments[2], O_RDONLY | O_CLOEXEC);
  if (source < 0) fail(arguments[2]);
  int repeats = atoi(arguments[4]);
  printf("[");
  for (int i = 0; i < repeats; i++) {
    double cpu = cpu_ms(), wall = wall_ms();
    if (strcmp(arguments[1], "send") == 0) send_all(source, atoi(arguments[3]));
    else through(source, arguments[3]);
    wall = wall_ms() - wall;
    cpu = cpu_ms() - cpu;
    if (strcmp(arguments[1], "through") == 0 && i < repeats - 1) unlink(arguments[3]);
    printf("%s{\"wallMs\":%.4f,\"cpuMs\":%.4f}", i > 0 ? "," : "", wall, cpu);
  }
  printf("]\n");
  return 0;
}
