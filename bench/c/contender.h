/* What the contenders that are written in C have in common: the protocol by which the benchmark's driver runs them, the
 * clock, and the loops of all that wait for one thing at a time or in epoll(7).
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
    IDLE = 32,     /* many connections, which are open and no more */
    BUSY = 64      /* many connections with round trips on all of them at the same time */
};

/* What read and write of a transport return when they would have to wait; 0 is the end of what is read. */
enum { END = 0, WAIT = -1 };

/* How connections are made, and bytes or messages moved over them: what the loops here need. A connection is a descriptor, or
 * a number of the transport's choice. All of this waits as long as it takes, but if task.events is set, returns WAIT instead.
 * What fails calls fail(). */
typedef struct transport {
    bool messages;                          /* whether it keeps units apart */
    intptr_t (*listen)(void);               /* on task.address; returns the descriptor that epoll(7) can watch */
    intptr_t (*accept)(void);               /* the next connection, or the one there is */
    intptr_t (*connect)(void);              /* to task.address */
    void (*close)(intptr_t connection);     /* for CONNECT, IDLE and BUSY */
    int64_t (*read)(intptr_t connection, void *data, size_t size);        /* what is there, or one message */
    int64_t (*write)(intptr_t connection, const void *data, size_t size); /* all of it, or as much as there is room for */
    /* For FILES: one byte with one file. What is received is the byte, or END, and the file is closed. */
    void (*send_file)(intptr_t connection, char byte, int file);
    int (*receive_file)(intptr_t connection, char *ret_byte);
} transport;

typedef struct variant {
    const char *name;
    unsigned works;             /* that it can do */
    const transport *transport; /* NULL: the functions below do the work in the library's own way */
    void (*serve)(void);        /* calls ready(), and serves for ever */
    void (*connect)(void);      /* as a client; for IDLE also makes the round trips */
    uint64_t (*round)(uint64_t end); /* works until time_is_up(); returns how many operations it did */
} variant;

/* What this process is to do. */
extern struct task {
    const struct variant *variant;
    enum work work;
    size_t size;         /* of a unit, in bytes */
    size_t count;        /* of connections */
    const char *address; /* a path */
    bool events;         /* whether transports must not wait, since epoll(7) does */
} task;

/* The main() of a contender; beside is NULL, or what is added to the address to name another file that the server makes. */
int contend(int argc, char **argv, const variant *variants, size_t count, const char *beside);

/* Tells the driver that clients can connect, and from then on watches standard input, whose end ends the process. */
void ready(void);

/* Whether a round that ends at that time is over after so many operations: only now and then a look at the clock. */
bool time_is_up(uint64_t operations, uint64_t end);

/* End the process with a line on standard error: with status 1, and with 2 for what a contender cannot do. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void unsupported(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroes from the heap, or fail(). */
void *allocate(size_t size);

#endif
