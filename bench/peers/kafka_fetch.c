// Fetches a topic of examples/log_broker from its first to its last record, and counts.
//
// Looks at the headers of batches only, so it shows what the broker can send, not what a client can
// decode. Prints one line of JSON.
//
//   cc -O2 -o kafka_fetch kafka_fetch.c && ./kafka_fetch PORT TOPIC MAX_BYTES

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void get(int fd, unsigned char *to, size_t count) {
  while (count > 0) {
    ssize_t got = recv(fd, to, count, MSG_WAITALL);
    if (got <= 0) fail("recv");
    to += got;
    count -= got;
  }
}

static uint32_t u32(const unsigned char *at) {
  uint32_t value;
  memcpy(&value, at, 4);
  return be32toh(value);
}

static uint64_t u64(const unsigned char *at) {
  uint64_t value;
  memcpy(&value, at, 8);
  return be64toh(value);
}

static unsigned char *put(unsigned char *at, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--) *at++ = value >> (8 * i);
  return at;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  const char *topic = argv[2];
  uint32_t max = atoi(argv[3]);
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);

  size_t room = max + (64 << 20);
  unsigned char *answer = malloc(room), request[512];
  uint64_t offset = 0, high = 1, bytes = 0, fetches = 0;
  struct timespec from, now;
  clock_gettime(CLOCK_MONOTONIC, &from);
  while (offset < high) {
    unsigned char *at = request + 4;
    at = put(at, 1, 2);              // Fetch
    at = put(at, 4, 2);              // version
    at = put(at, 0, 4);              // correlation id
    at = put(at, 0xffff, 2);         // no client id
    at = put(at, 0xffffffff, 4);     // no replica
    at = put(at, 100, 4);            // milliseconds to wait
    at = put(at, 1, 4);              // least bytes
    at = put(at, max, 4);            // most bytes
    at = put(at, 0, 1);              // isolation
    at = put(at, 1, 4);              // one topic
    at = put(at, strlen(topic), 2);
    memcpy(at, topic, strlen(topic));
    at = put(at + strlen(topic), 1, 4);  // one partition
    at = put(at, 0, 4);
    at = put(at, offset, 8);
    at = put(at, max, 4);
    put(request, at - request - 4, 4);
    if (send(fd, request, at - request, 0) != at - request) fail("send");

    unsigned char size[4];
    get(fd, size, 4);
    if (u32(size) > room) return 3;
    get(fd, answer, u32(size));
    // Correlation id, throttle time, topics; name, partitions; partition, code, high, stable, aborted.
    unsigned char *part = answer + 12 + 2 + strlen(topic) + 4;
    if (part[4] != 0 || part[5] != 0) return 4;
    high = u64(part + 6);
    unsigned char *batch = part + 26, *end = batch + 4 + u32(part + 26);
    bytes += end - batch - 4;
    for (batch += 4; batch + 61 <= end; batch += 12 + u32(batch + 8)) {
      offset = u64(batch) + u32(batch + 23) + 1;
    }
    fetches++;
  }
  clock_gettime(CLOCK_MONOTONIC, &now);
  double seconds = now.tv_sec - from.tv_sec + (now.tv_nsec - from.tv_nsec) / 1e9;
  printf("{\"records\":%llu,\"bytes\":%llu,\"fetches\":%llu,\"seconds\":%.4f}\n",
         (unsigned long long)offset, (unsigned long long)bytes, (unsigned long long)fetches, seconds);
  return 0;
}
