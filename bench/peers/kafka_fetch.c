// Fetches from examples/log_broker, and sends the same file by plain sendfile(2).
//
//   kafka_fetch fetch PORT TOPIC PASSES   fetches a topic from its first to its last record
//   kafka_fetch answer PORT FILE          answers "fetch" as the broker does
//   kafka_fetch serve PORT FILE           sends the file to each client
//   kafka_fetch drain PORT PASSES         receives what "serve" sends
//
// Looks at the headers of batches only, so it shows what the broker can send, not what a client can
// decode. The clients print one line of JSON.

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
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

enum { MOST = 1 << 20, ROOM = 65 << 20, WINDOW = 512 << 10 };

static unsigned char *answer;
static uint64_t records, bytes;

static int dial(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static size_t request_for(unsigned char *request, const char *topic, uint64_t offset) {
  unsigned char *at = request + 4;
  at = put(at, 1, 2);           // Fetch
  at = put(at, 4, 2);           // version
  at = put(at, 0, 4);           // correlation id
  at = put(at, 0xffff, 2);      // no client id
  at = put(at, 0xffffffff, 4);  // no replica
  at = put(at, 100, 4);         // milliseconds to wait
  at = put(at, 1, 4);           // least bytes
  at = put(at, MOST, 4);        // most bytes
  at = put(at, 0, 1);           // isolation
  at = put(at, 1, 4);           // one topic
  at = put(at, strlen(topic), 2);
  memcpy(at, topic, strlen(topic));
  at = put(at + strlen(topic), 1, 4);  // one partition
  at = put(at, 0, 4);
  at = put(at, offset, 8);
  at = put(at, MOST, 4);
  put(request, at - request - 4, 4);
  return at - request;
}

static void fetch(int fd, const char *topic) {
  for (uint64_t offset = 0, high = 1; offset < high;) {
    unsigned char request[512], size[4];
    size_t count = request_for(request, topic, offset);
    if (send(fd, request, count, 0) != (ssize_t)count) fail("send");
    get(fd, size, 4);
    if (u32(size) > ROOM) exit(3);
    get(fd, answer, u32(size));
    // Correlation id, throttle time, topics; name, partitions; partition, code, high, stable, aborted.
    unsigned char *part = answer + 12 + 2 + strlen(topic) + 4;
    if (part[4] != 0 || part[5] != 0) exit(4);
    high = u64(part + 6);
    unsigned char *batch = part + 30, *end = batch + u32(part + 26);
    bytes += end - batch;
    for (; batch + 61 <= end; batch += 12 + u32(batch + 8)) {
      records += u32(batch + 23) + 1;
      offset = u64(batch) + u32(batch + 23) + 1;
    }
  }
}

static void drain(int port) {
  int fd = dial(port);
  for (ssize_t got; (got = recv(fd, answer, MOST, MSG_WAITALL)) != 0; bytes += got) {
    if (got < 0) fail("recv");
  }
  close(fd);
}

// Sends the file whole, without being asked for its parts.
static void serve(int fd, int file) {
  off_t offset = 0;
  // A client that leaves early, such as one that only looks whether it listens, ends its turn.
  while (sendfile(fd, file, &offset, WINDOW) > 0) {}
}

// Answers each request by the part of the file that starts with the batch of its offset.
static void answer_fetches(int fd, int file) {
  unsigned char request[512], head[512], batch[61];
  off_t position = 0;
  uint64_t high = 0;
  for (off_t at = 0; pread(file, batch, sizeof batch, at) == sizeof batch; at += 12 + u32(batch + 8)) {
    high = u64(batch) + u32(batch + 23) + 1;
  }
  for (;;) {
    if (recv(fd, request, 4, MSG_WAITALL) < 4) return;
    size_t size = u32(request);
    if (size > sizeof request || recv(fd, request, size, MSG_WAITALL) < (ssize_t)size) return;
    // Key, version, correlation id, client id; replica, wait, least, most, isolation, topics.
    unsigned char *topic = request + 10 + 16 + 1 + 4;
    size_t name = topic[0] << 8 | topic[1];
    unsigned char *part = topic + 2 + name + 4;
    uint64_t offset = u64(part + 4), most = u32(part + 12);
    if (offset == 0) position = 0;
    // Whole batches, as the broker's index finds them.
    off_t end = position;
    while (pread(file, batch, sizeof batch, end) == sizeof batch) {
      off_t next = end + 12 + u32(batch + 8);
      if (next - position > (off_t)most && end > position) break;
      end = next;
    }
    unsigned char *at = head + 4;
    memcpy(at, request + 4, 4);
    at = put(at + 4, 0, 4);  // throttle time
    at = put(at, 1, 4);      // one topic
    memcpy(at, topic, 2 + name);
    at = put(at + 2 + name, 1, 4);
    at = put(at, 0, 4 + 2);  // partition and error
    at = put(at, high, 8);
    at = put(at, high, 8);
    at = put(at, 0xffffffff, 4);
    at = put(at, end - position, 4);
    put(head, at - head - 4 + end - position, 4);
    if (send(fd, head, at - head, MSG_MORE) < 0) return;
    while (position < end && sendfile(fd, file, &position, end - position) > 0) {}
  }
}

static void listen_for(int port, const char *path, void (*task)(int fd, int file)) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, file = open(path, O_RDONLY);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (file < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0) fail(path);
  if (listen(listener, 16) < 0) fail("listen");
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) task(fd, file);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int port = atoi(argv[2]), passes = atoi(argv[argc - 1]);
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(argv[1], "serve") == 0) listen_for(port, argv[3], serve);
  if (strcmp(argv[1], "answer") == 0) listen_for(port, argv[3], answer_fetches);
  answer = malloc(ROOM);
  struct timespec from, now;
  clock_gettime(CLOCK_MONOTONIC, &from);
  if (strcmp(argv[1], "fetch") == 0) {
    int fd = dial(port);
    for (int i = 0; i < passes; i++) fetch(fd, argv[3]);
  } else {
    for (int i = 0; i < passes; i++) drain(port);
  }
  clock_gettime(CLOCK_MONOTONIC, &now);
  double seconds = now.tv_sec - from.tv_sec + (now.tv_nsec - from.tv_nsec) / 1e9;
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  double cpu = own.ru_utime.tv_sec + own.ru_stime.tv_sec +
               (own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
  printf("{\"records\":%llu,\"bytes\":%llu,\"seconds\":%.4f,\"cpu\":%.4f}\n",
         (unsigned long long)records, (unsigned long long)bytes, seconds, cpu);
  return 0;
}
