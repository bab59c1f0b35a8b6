/* What the contenders in C share: the protocol with the benchmark's driver, the clock, and the loops of those that wait
 * for one connection at a time or in epoll(7).
 *
 * A contender is a program: a main() that calls contend() with its variants, which say what each of them can do, and how.
 */
#ifndef CONTENDER_H
#define CONTENDER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* accept4(2) */
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds of work, as bits. */
enum work {
    ROUNDTRIP = 1, /* units there and back on one connection */
    STREAM = 2,    /* units one way; the last byte of the last one of a round is 1, and is answered with one byte */
    BUFFERED = 4,  /* the same, through a buffer on both sides */
    CONNECT = 8,   /* connections that the server closes at once */
    FILES = 16,    /* one byte with an open file, one way; answered as in STREAM */
    IDLE = 32,     /* many open connections, without traffic */
    BUSY = 64,     /* many connections with round trips on all of them at the same time */
    CHATTY = 128   /* the same as IDLE, after many round trips */
};

/* Results of a transport's read and write, besides sizes: the end, and that the call would have to wait. */
enum { END = 0, WAIT = -1 };

/* How to make connections, and to move bytes or messages over them. A connection is a descriptor, or a number of the
 * transport's choice. The functions wait as long as it takes. If task.events is set they return WAIT in place of
 * waiting. On an error they call fail(). */
typedef struct transport {
    bool messages;                      /* whether each read returns one unit, as written */
    bool arms;                          /* whether epoll(7) reports only what comes after read() has returned WAIT */
    int (*descriptor)(intptr_t connection); /* that epoll(7) can watch for units. NULL: the connection is one */
    intptr_t (*listen)(void);           /* on task.address; returns the descriptor that epoll(7) can watch */
    intptr_t (*accept)(void);           /* the next connection, or the only one */
    intptr_t (*connect)(void);          /* to task.address */
    void (*close)(intptr_t connection); /* for CONNECT, IDLE and BUSY */
    /* What has come, or one message. */
    int64_t (*read)(intptr_t connection, void *data, size_t size);
    /* Everything, or what there is room for. */
    int64_t (*write)(intptr_t connection, const void *data, size_t size);
    /* For FILES: one byte with one file. receive_file() closes the file, and returns END at the end. */
    void (*send_file)(intptr_t connection, char byte, int file);
    int (*receive_file)(intptr_t connection, char *ret_byte);
} transport;

typedef struct variant {
    const char *name;
    unsigned works;             /* that it can do */
    const transport *transport; /* NULL: the functions below do the work, in the library's own way */
    void (*serve)(void);        /* calls ready(), and serves until the process ends */
    void (*connect)(void);      /* as a client; for IDLE and CHATTY also makes the round trips */
    uint64_t (*round)(uint64_t end); /* works until time_is_up(), and returns its number of operations */
} variant;

/* What this process is to do. */
extern struct task {
    const struct variant *variant;
    enum work work;
    size_t size;         /* of a unit, in bytes */
    size_t count;        /* of connections */
    const char *address; /* a path */
    bool events;         /* transports must not wait, since epoll(7) does */
} task;

/* The main() of a contender. beside is NULL, or a suffix: the address with it names another file of the server. */
int contend(int argc, char **argv, const variant *variants, size_t count, const char *beside);

/* Tells the driver that clients can connect. From then on the end of standard input ends the process. */
void ready(void);

/* Whether a round that ends at that time is over, after so many operations. It does not read the clock each time. */
bool time_is_up(uint64_t operations, uint64_t end);

/* End the process with a line on standard error: fail() with status 1; unsupported(), for what the contender cannot do,
 * with status 2. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void unsupported(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns zeroed memory; without any left, calls fail(). */
void *allocate(size_t size);

#endif
