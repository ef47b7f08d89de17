/*
 * A client of HTTPS that costs little, the same for every server that is measured.
 *
 *   https_client drain PORT CLIENTS PATH SECONDS     bodies, thrown away inside the kernel
 *   https_client full|resumed PORT AT_ONCE SECONDS   handshakes
 *   https_client idle PORT CLIENTS PATH              connections that wait between two requests
 *
 * "drain" and "idle" print {"ready":true} once everybody is connected, and go on when stdin is
 * closed. In the end each prints one line of JSON. All offer TLS 1.3 with AES-128-GCM only.
 *
 * "drain" does not decrypt: it would be the decryption that is measured. It counts what has arrived,
 * which is 0.2 % more than the bodies. The bytes are compared elsewhere, before the measurement.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURN (4 << 20)
#define MOST_AT_ONCE 256

static SSL_CTX *context;
static struct sockaddr_in server;
static char request[512];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double used(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
        (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void fail(const char *what) {
    fprintf(stderr, "https_client: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* Prints that everybody is connected, and waits until stdin is closed. */
static void ready(void) {
    char byte;
    printf("{\"ready\":true}\n");
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {}
}

static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0) fail("connect");
    return fd;
}

static SSL *open_ssl(int fd) {
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) fail("SSL_new");
    SSL_set_tlsext_host_name(ssl, "localhost");
    SSL_set_connect_state(ssl);
    return ssl;
}

static void ask(SSL *ssl) {
    if (SSL_write(ssl, request, strlen(request)) <= 0) fail("SSL_write");
}

static void prepare_request(const char *path, int last) {
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path,
        last ? "Connection: close\r\n" : "");
}

static void watch(int epoll, int fd, uint32_t events, int operation, uint64_t data) {
    struct epoll_event event = { .events = events, .data.u64 = data };
    if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

static int drain(int clients, double seconds) {
    int epoll = epoll_create1(0), open = clients;
    SSL **all = calloc(clients, sizeof *all);
    struct epoll_event events[256];
    unsigned long long bytes = 0;
    for (int i = 0; i < clients; i++) {
        all[i] = open_ssl(dial());
        if (SSL_do_handshake(all[i]) != 1) fail("handshake");
        watch(epoll, SSL_get_fd(all[i]), EPOLLIN, EPOLL_CTL_ADD, SSL_get_fd(all[i]));
    }
    ready();
    double started = now(), cpu = used(), left;
    for (int i = 0; i < clients; i++) ask(all[i]);
    while (open > 0 && (left = seconds - (now() - started)) > 0) {
        int count = epoll_wait(epoll, events, 256, (int)(left * 1000) + 1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.u64;
            ssize_t got = recv(fd, NULL, TURN, MSG_DONTWAIT | MSG_TRUNC);
            if (got > 0) {
                bytes += got;
            } else if (got == 0 || errno != EAGAIN) {
                epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
                open--;
            }
        }
    }
    printf("{\"bytes\":%llu,\"seconds\":%f,\"cpuSeconds\":%f,\"ended\":%d}\n", bytes,
        now() - started, used() - cpu, clients - open);
    return 0;
}

/* One connection of those that shake hands all the time. */
struct slot {
    SSL *ssl;
    int fd;
    SSL_SESSION *session;
    int has_ticket;
};

static int keep_session(SSL *ssl, SSL_SESSION *session) {
    struct slot *slot = SSL_get_app_data(ssl);
    if (slot->session != NULL) SSL_SESSION_free(slot->session);
    slot->session = session;
    slot->has_ticket = 1;
    return 1;
}

static void begin(int epoll, struct slot *slot, int resumes) {
    slot->has_ticket = 0;
    slot->fd = dial();
    fcntl(slot->fd, F_SETFL, O_NONBLOCK);
    slot->ssl = open_ssl(slot->fd);
    SSL_set_app_data(slot->ssl, (char *)slot);
    if (resumes && slot->session != NULL) {
        SSL_SESSION *copy = SSL_SESSION_dup(slot->session);
        SSL_set_session(slot->ssl, copy);
        SSL_SESSION_free(copy);
    }
    SSL_do_handshake(slot->ssl);
    watch(epoll, slot->fd, EPOLLIN, EPOLL_CTL_ADD, (uint64_t)(uintptr_t)slot);
}

/* A handshake counts once the server's tickets have arrived: it has then seen the client's end of it. */
static int handshakes(int at_once, double seconds, int resumes) {
    int epoll = epoll_create1(0);
    struct slot *slots = calloc(at_once, sizeof *slots);
    struct epoll_event events[MOST_AT_ONCE];
    unsigned long done = 0, reused = 0;
    char byte;
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    double started = now(), cpu = used();
    for (int i = 0; i < at_once; i++) begin(epoll, &slots[i], resumes);
    while (now() - started < seconds) {
        int count = epoll_wait(epoll, events, MOST_AT_ONCE, 100);
        for (int i = 0; i < count; i++) {
            struct slot *slot = (struct slot *)(uintptr_t)events[i].data.u64;
            ERR_clear_error();
            int result = SSL_read(slot->ssl, &byte, 1);
            if (result > 0) fail("unexpected data");
            if (SSL_get_error(slot->ssl, result) != SSL_ERROR_WANT_READ) fail("handshake");
            if (!slot->has_ticket) continue;
            done++;
            reused += SSL_session_reused(slot->ssl);
            /* Sends nothing; without it, OpenSSL would not resume the session. */
            SSL_set_quiet_shutdown(slot->ssl, 1);
            SSL_shutdown(slot->ssl);
            SSL_free(slot->ssl);
            close(slot->fd);
            begin(epoll, slot, resumes);
        }
    }
    printf("{\"done\":%lu,\"reused\":%lu,\"seconds\":%f,\"cpuSeconds\":%f}\n", done, reused,
        now() - started, used() - cpu);
    return 0;
}

/* Reads one response; 0 where the connection ends before. */
static int read_response(SSL *ssl) {
    char text[8192];
    int total = 0, count;
    while (total < (int)sizeof text - 1) {
        count = SSL_read(ssl, text + total, sizeof text - 1 - total);
        if (count <= 0) return 0;
        text[total += count] = 0;
        char *body = strstr(text, "\r\n\r\n");
        char *length = strcasestr(text, "\r\ncontent-length:");
        if (body == NULL || length == NULL) continue;
        if (total - (body + 4 - text) >= atoi(length + 17)) return 1;
    }
    return 0;
}

static int idle(int clients) {
    SSL **all = calloc(clients, sizeof *all);
    int stayed = 0;
    for (int i = 0; i < clients; i++) {
        all[i] = open_ssl(dial());
        if (SSL_do_handshake(all[i]) != 1) fail("handshake");
        ask(all[i]);
        if (!read_response(all[i])) fail("response");
    }
    ready();
    for (int i = 0; i < clients; i++) {
        if (SSL_write(all[i], request, strlen(request)) > 0) stayed += read_response(all[i]);
    }
    printf("{\"stayed\":%d}\n", stayed);
    return 0;
}

int main(int argc, char **argv) {
    struct rlimit limit;
    if (argc < 5) return 2;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[2]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (strcmp(argv[1], "drain") == 0 && argc == 6) {
        prepare_request(argv[4], 1);
        return drain(atoi(argv[3]), atof(argv[5]));
    }
    if (strcmp(argv[1], "idle") == 0) {
        prepare_request(argv[4], 0);
        return idle(atoi(argv[3]));
    }
    int at_once = atoi(argv[3]) < MOST_AT_ONCE ? atoi(argv[3]) : MOST_AT_ONCE;
    return handshakes(at_once, atof(argv[4]), strcmp(argv[1], "resumed") == 0);
}
