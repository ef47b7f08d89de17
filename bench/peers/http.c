/*
 * Serves the files of a folder in one thread by the calls of createFileServer(), as a bound for what
 * a runtime can reach: epoll, one recv(2) a request, and one send(2), followed by sendfile(2) where
 * a file is longer than 32 KiB. It opens all files first, knows one coding (br), one range, and
 * If-None-Match, looks at nothing else of a request, and takes only requests that arrive in one piece.
 *
 *   http FOLDER
 *
 * Prints {"port":N}, and ends with stdin.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common.h"

enum { EVENTS = 256, REQUEST_BYTES = 16 * 1024, HEAD_BYTES = 1024, IN_MEMORY = 32 * 1024 };
enum { MOST_FILES = 256, MOST_CLIENTS = 16 * 1024, TURN_BYTES = 2 * 1024 * 1024 };

/* Fields that createFileServer() sends, with values of the same length. */
#define SHARED                                                                                     \
  "Accept-Ranges: bytes\r\nLast-Modified: Mon, 30 Nov 2026 00:00:00 GMT\r\n"                       \
  "ETag: \"0123456789abcdef-0123\"\r\nX-Content-Type-Options: nosniff\r\n"                         \
  "Content-Type: application/octet-stream\r\nDate: Mon, 30 Nov 2026 00:00:00 GMT\r\n\r\n"
#define CODED "Content-Encoding: br\r\nVary: Accept-Encoding\r\n"

static const char UNCHANGED[] = "HTTP/1.1 304 Not Modified\r\n" SHARED;
static const char MISSING[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/* The head, and the body if it is short. */
struct file {
  char name[128];
  char *bytes;
  size_t length;
  off_t size;
  int fd;
  struct file *coded;
};

/* What is left to send. */
struct client {
  int fd;
  off_t at, end;
};

static struct file files[MOST_FILES];
static int count;
static struct client clients[MOST_CLIENTS];
static int epoll;

static void load(int folder, const char *name) {
  struct file *file = &files[count++];
  if (count > MOST_FILES || strlen(name) >= sizeof file->name) fail("too many files");
  strcpy(file->name, name);
  file->fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (file->fd < 0) fail(name);
  file->size = lseek(file->fd, 0, SEEK_END);
  file->bytes = malloc(HEAD_BYTES + IN_MEMORY);
  const char *ending = strrchr(name, '.');
  file->length = snprintf(file->bytes, HEAD_BYTES, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n%s" SHARED,
                          (long long)file->size,
                          ending != NULL && strcmp(ending, ".br") == 0 ? CODED : "");
  if (file->size > IN_MEMORY) return;
  if (pread(file->fd, file->bytes + file->length, file->size, 0) != file->size) fail(name);
  file->length += file->size;
}

static struct file *find(const char *name, size_t length) {
  for (int i = 0; i < count; i++) {
    if (strncmp(files[i].name, name, length) == 0 && files[i].name[length] == 0) return &files[i];
  }
  return NULL;
}

static void load_all(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) fail(path);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_type == DT_REG) load(dirfd(folder), entry->d_name);
  }
  for (int i = 0; i < count; i++) {
    char coded[sizeof files->name + 3];
    files[i].coded = find(coded, snprintf(coded, sizeof coded, "%s.br", files[i].name));
  }
}

static void watch(int operation, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, operation, fd, &event) < 0) fail("epoll_ctl");
}

static int whole(int fd, const char *bytes, size_t length, int flags) {
  return send(fd, bytes, length, MSG_NOSIGNAL | flags) == (ssize_t)length;
}

/* Sends a file until the socket is full; 0 once the client has gone. */
static int pump(struct client *client, int socket) {
  for (off_t left = TURN_BYTES; client->at < client->end && left > 0;) {
    off_t before = client->at;
    ssize_t sent = sendfile(socket, client->fd, &client->at, client->end - client->at);
    if (sent <= 0) return sent < 0 && errno == EAGAIN;
    left -= client->at - before;
  }
  return 1;
}

static int answer(int fd, const char *request) {
  if (strncmp(request, "GET /", 5) != 0) return whole(fd, MISSING, sizeof MISSING - 1, 0);
  struct file *file = find(request + 5, strcspn(request + 5, " "));
  if (file == NULL) return whole(fd, MISSING, sizeof MISSING - 1, 0);
  if (strcasestr(request, "\r\nIf-None-Match:") != NULL) {
    return whole(fd, UNCHANGED, sizeof UNCHANGED - 1, 0);
  }
  if (file->coded != NULL && strcasestr(request, "\r\nAccept-Encoding: br") != NULL) {
    file = file->coded;
  }
  struct client *client = &clients[fd];
  const char *range = strcasestr(request, "\r\nRange: bytes=");
  long long first, last;
  if (range != NULL && sscanf(range + 15, "%lld-%lld", &first, &last) == 2) {
    char head[HEAD_BYTES];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 206 Partial Content\r\nContent-Length: %lld\r\n"
                          "Content-Range: bytes %lld-%lld/%lld\r\n" SHARED,
                          last - first + 1, first, last, (long long)file->size);
    *client = (struct client){.fd = file->fd, .at = first, .end = last + 1};
    return whole(fd, head, length, MSG_MORE) && pump(client, fd);
  }
  if (file->size <= IN_MEMORY) return whole(fd, file->bytes, file->length, 0);
  *client = (struct client){.fd = file->fd, .at = 0, .end = file->size};
  return whole(fd, file->bytes, file->length, MSG_MORE) && pump(client, fd);
}

/* 0 once the client has gone. */
static int serve(int fd) {
  static char request[REQUEST_BYTES + 1];
  struct client *client = &clients[fd];
  int was_busy = client->at < client->end;
  if (was_busy) {
    if (!pump(client, fd)) return 0;
  } else {
    ssize_t got = recv(fd, request, REQUEST_BYTES, 0);
    if (got < 0 && errno == EAGAIN) return 1;
    if (got <= 0) return 0;
    request[got] = 0;
    if (!answer(fd, request)) return 0;
  }
  int busy = client->at < client->end;
  if (busy != was_busy) watch(EPOLL_CTL_MOD, fd, busy ? EPOLLOUT : EPOLLIN);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  load_all(argv[1]);
  struct sockaddr_in own = {.sin_family = AF_INET};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof own;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  /* Pacing would delay answers, and createFileServer() does not use it over loopback. */
  setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
  if (bind(listener, (void *)&own, sizeof own) < 0 || listen(listener, 2048) < 0) fail("listen");
  getsockname(listener, (void *)&own, &length);
  printf("{\"port\":%d}\n", ntohs(own.sin_port));
  fflush(stdout);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(EPOLL_CTL_ADD, 0, EPOLLIN);
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
  struct epoll_event events[EVENTS];
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == 0) return 0;
      if (fd != listener) {
        if (!serve(fd)) close(fd);
        continue;
      }
      for (int client; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        if (client >= MOST_CLIENTS) fail("too many clients");
        clients[client] = (struct client){0};
        watch(EPOLL_CTL_ADD, client, EPOLLIN);
      }
    }
  }
}
