/*
 * Relays connections in one thread by the calls of createRelay(), as a bound for what a runtime can
 * reach: epoll, edge-triggered, and splice(2) through pipes of 1 MiB.
 *
 *   relay UPSTREAM_PORT
 *
 * Prints {"port":N}, and ends with stdin. A connection with an error is closed in both directions.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common.h"

enum { PIPE_BYTES = 1 << 20, TURN_BYTES = 4 << 20, EVENTS = 256, MOST_IDLE_PIPES = 64 };

/* From one socket into the other. The pipe is there while it holds bytes. */
struct direction {
  int from, to, ends[2];
  ssize_t held;
  int ended, done;
};

struct pair {
  struct direction ways[2];
  struct pair *next;
  int queued, closed;
};

static int epoll;
static struct pair *queue;
static int idle[MOST_IDLE_PIPES][2];
static int idle_count;

static void take_pipe(struct direction *way) {
  if (way->ends[0] > 0) return;
  if (idle_count > 0) {
    memcpy(way->ends, idle[--idle_count], sizeof way->ends);
    return;
  }
  if (pipe2(way->ends, O_CLOEXEC | O_NONBLOCK) < 0) fail("pipe2");
  fcntl(way->ends[1], F_SETPIPE_SZ, PIPE_BYTES);
}

static void drop_pipe(struct direction *way) {
  if (way->ends[0] <= 0) return;
  if (way->held == 0 && idle_count < MOST_IDLE_PIPES) {
    memcpy(idle[idle_count++], way->ends, sizeof way->ends);
  } else {
    close(way->ends[0]);
    close(way->ends[1]);
  }
  way->ends[0] = 0;
}

/* Moves until a socket would block: 1 if more may follow, 0 if not, -1 after an error. */
static int move(struct direction *way) {
  for (ssize_t left = TURN_BYTES; left > 0 && !way->done;) {
    if (way->held == 0 && !way->ended) {
      take_pipe(way);
      ssize_t got = splice(way->from, NULL, way->ends[1], NULL, PIPE_BYTES,
                           SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
      if (got < 0) {
        drop_pipe(way);
        return errno == EAGAIN ? 0 : -1;
      }
      if (got == 0) way->ended = 1;
      way->held = got;
      left -= got;
    }
    while (way->held > 0) {
      ssize_t sent = splice(way->ends[0], NULL, way->to, NULL, way->held,
                            SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
      if (sent < 0) return errno == EAGAIN ? 0 : -1;
      way->held -= sent;
    }
    if (way->ended) {
      drop_pipe(way);
      shutdown(way->to, SHUT_WR);
      way->done = 1;
    }
  }
  if (way->held == 0) drop_pipe(way);
  return !way->done;
}

static void run(struct pair *pair) {
  if (pair->closed) return;
  int up = move(&pair->ways[0]);
  int down = up < 0 ? -1 : move(&pair->ways[1]);
  if (down < 0 || (pair->ways[0].done && pair->ways[1].done)) {
    for (int i = 0; i < 2; i++) {
      drop_pipe(&pair->ways[i]);
      close(pair->ways[i].from);
    }
    /* Other events of this turn may still name it; a benchmark has few connections. */
    pair->closed = 1;
    return;
  }
  if ((up > 0 || down > 0) && !pair->queued) {
    pair->queued = 1;
    pair->next = queue;
    queue = pair;
  }
}

static void watch(int fd, void *data, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = data};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void accept_all(int listener, const struct sockaddr_in *upstream) {
  for (int near; (near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int far = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(far, (const void *)upstream, sizeof *upstream) < 0 && errno != EINPROGRESS) {
      fail("connect");
    }
    struct pair *pair = calloc(1, sizeof *pair);
    pair->ways[0] = (struct direction){.from = near, .to = far};
    pair->ways[1] = (struct direction){.from = far, .to = near};
    unsigned all = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    watch(near, pair, all);
    watch(far, pair, all);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_in upstream = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  struct sockaddr_in own = {.sin_family = AF_INET};
  upstream.sin_addr.s_addr = own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof own;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(listener, (void *)&own, sizeof own) < 0 || listen(listener, 511) < 0) fail("listen");
  getsockname(listener, (void *)&own, &length);
  printf("{\"port\":%d}\n", ntohs(own.sin_port));
  fflush(stdout);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  static char at_listener, at_input;
  watch(listener, &at_listener, EPOLLIN);
  watch(0, &at_input, EPOLLIN);
  struct epoll_event events[EVENTS];
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS, queue == NULL ? -1 : 0);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == &at_input) return 0;
      if (events[i].data.ptr == &at_listener) accept_all(listener, &upstream);
      else run(events[i].data.ptr);
    }
    struct pair *waiting = queue;
    queue = NULL;
    while (waiting != NULL) {
      struct pair *pair = waiting;
      waiting = pair->next;
      pair->queued = 0;
      run(pair);
    }
  }
}
