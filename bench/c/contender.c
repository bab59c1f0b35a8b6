#include "crowd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    BUFFER = 64 << 10, /* for BUFFERED, on both sides */
    LARGE = 64 << 10,  /* from this size on, the clock is read after each unit */
    CHATS = 5000       /* round trips of a connection in CHATTY: more bytes than the ring of a channel has */
};

struct task task;

static const char *program;
static const char *beside_address;
static const transport *t;  /* of the variant */
static intptr_t connection; /* the current one */
static char *unit;          /* task.size bytes, all 0 except for the last */

/* ========================================= Errors ============================================= */

static _Noreturn void die(int status, const char *format, va_list arguments) {
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "%s: %s\n", program, text);
    _Exit(status);
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    die(1, format, arguments);
}

void unsupported(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    die(2, format, arguments);
}

void *allocate(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

/* ========================================== Clock ============================================= */

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

bool time_is_up(uint64_t operations, uint64_t end) {
    return (operations % 16 == 0 || task.size >= LARGE) && now() >= end;
}

/* ========================================== Units ============================================= */

static void write_all(const char *data, size_t size) {
    while (size > 0) {
        int64_t n = t->write(connection, data, size);
        data += n;
        size -= (size_t)n;
    }
}

static void send_unit(char last) {
    unit[task.size - 1] = last;
    write_all(unit, task.size);
}

/* Returns whether there was a unit, or false at the end. */
static bool receive_unit(char *ret_last) {
    for (size_t size = 0; size < task.size;) {
        int64_t n = t->read(connection, unit + size, task.size - size);
        if (n == END && size == 0)
            return false;
        if (n == END || (t->messages && (size_t)n != task.size))
            fail("the peer sent %zu bytes in place of %zu", size + (size_t)n, task.size);
        size += (size_t)n;
    }
    *ret_last = unit[task.size - 1];
    return true;
}

/* The server's answer to the last unit of a round. */
static void send_answer(void) {
    write_all("\1", 1);
}

static void receive_answer(void) {
    char answer;
    if (t->read(connection, &answer, 1) != 1)
        fail("the server ended the connection");
}

/* ========================================= Servers ============================================ */

static void serve_round_trips(void) {
    char last;
    while (receive_unit(&last))
        send_unit(last);
}

static void serve_messages(void) {
    char last;
    while (receive_unit(&last)) {
        if (last == 1)
            send_answer();
    }
}

/* A read of bytes may return less or more than a unit. The last unit of a round ends where a read ends, since the
 * client waits after it. */
static void serve_bytes(size_t size) {
    char *buffer = allocate(size);
    size_t position = 0; /* within a unit */
    for (;;) {
        int64_t n = t->read(connection, buffer, size);
        if (n == END)
            return;
        position += (size_t)n;
        if (position == task.size)
            position = 0;
        else if (position > task.size)
            position %= task.size;
        if (position == 0 && buffer[n - 1] == 1)
            send_answer();
    }
}

static void serve_files(void) {
    char byte;
    while (t->receive_file(connection, &byte) != END) {
        if (byte == 1)
            send_answer();
    }
}

static void serve_connection(void) {
    connection = t->accept();
    switch (task.work) {
    case ROUNDTRIP:
        serve_round_trips();
        break;
    case FILES:
        serve_files();
        break;
    case CONNECT:
        break;
    default:
        if (t->messages)
            serve_messages();
        else
            serve_bytes(task.work == BUFFERED ? BUFFER : task.size);
    }
    t->close(connection);
}

static void serve(void) {
    intptr_t listener = t->listen();
    ready();
    if (task.events)
        serve_crowd(listener);
    for (;;)
        serve_connection();
}

/* ========================================= Clients ============================================ */

static void round_trip(void) {
    char last;
    send_unit(0);
    if (!receive_unit(&last))
        fail("the server ended the connection");
}

static uint64_t round_trips(uint64_t end) {
    uint64_t operations = 0;
    do {
        round_trip();
        operations++;
    } while (!time_is_up(operations, end));
    return operations;
}

static uint64_t stream(uint64_t end) {
    uint64_t operations = 0;
    do {
        send_unit(0);
        operations++;
    } while (!time_is_up(operations, end));
    send_unit(1);
    receive_answer();
    return operations + 1;
}

static struct {
    char data[BUFFER];
    size_t size;
} buffer;

static void flush(void) {
    write_all(buffer.data, buffer.size);
    buffer.size = 0;
}

static void send_buffered(char last) {
    unit[task.size - 1] = last;
    const char *rest = unit;
    size_t size = task.size;
    while (size > BUFFER - buffer.size) {
        if (buffer.size == 0) { /* units larger than the buffer bypass it */
            write_all(rest, size);
            return;
        }
        size_t room = BUFFER - buffer.size;
        memcpy(buffer.data + buffer.size, rest, room);
        buffer.size = BUFFER;
        flush();
        rest += room;
        size -= room;
    }
    memcpy(buffer.data + buffer.size, rest, size);
    buffer.size += size;
}

static uint64_t buffered(uint64_t end) {
    uint64_t operations = 0;
    do {
        send_buffered(0);
        operations++;
    } while (!time_is_up(operations, end));
    send_buffered(1);
    flush();
    receive_answer();
    return operations + 1;
}

static uint64_t connections(uint64_t end) {
    uint64_t operations = 0;
    do {
        char byte;
        intptr_t c = t->connect();
        if (t->read(c, &byte, 1) != END)
            fail("the server sent something");
        t->close(c);
        operations++;
    } while (!time_is_up(operations, end));
    return operations;
}

static int null_device;

static uint64_t files(uint64_t end) {
    uint64_t operations = 0;
    do {
        t->send_file(connection, 0, null_device);
        operations++;
    } while (!time_is_up(operations, end));
    t->send_file(connection, 1, null_device);
    receive_answer();
    return operations + 1;
}

/* The connections stay open until the process ends. */
static void open_idle(void) {
    for (size_t i = 0; i < task.count; i++) {
        connection = t->connect();
        for (int trips = task.work == CHATTY ? CHATS : 1; trips > 0; trips--)
            round_trip();
    }
}

static void open_client(void) {
    switch (task.work) {
    case CONNECT:
        return;
    case IDLE:
    case CHATTY:
        open_idle();
        return;
    case BUSY:
        open_crowd();
        return;
    case FILES:
        null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_device < 0)
            fail("/dev/null: %s", strerror(errno));
        break;
    default:
        break;
    }
    connection = t->connect();
}

static uint64_t one_round(uint64_t end) {
    switch (task.work) {
    case ROUNDTRIP:
        return round_trips(end);
    case STREAM:
        return stream(end);
    case BUFFERED:
        return buffered(end);
    case CONNECT:
        return connections(end);
    case FILES:
        return files(end);
    case BUSY:
        return busy_crowd(end);
    default:
        return 0;
    }
}

/* ========================================= Protocol =========================================== */

static void say(const char *line) {
    if (puts(line) < 0 || fflush(stdout) != 0)
        fail("standard output: %s", strerror(errno));
}

static void remove_files(void) {
    unlink(task.address);
    if (beside_address != NULL) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s%s", task.address, beside_address);
        unlink(path);
    }
}

/* C programs do not count their allocations: the answer is always -1. */
static void *answer_driver(void *unused) {
    (void)unused;
    char lines[256];
    ssize_t n;
    while ((n = read(STDIN_FILENO, lines, sizeof lines)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (lines[i] == '\n')
                say("-1");
        }
    }
    remove_files();
    _Exit(0);
}

void ready(void) {
    say("ready");
    pthread_t thread;
    int r = pthread_create(&thread, NULL, answer_driver, NULL);
    if (r != 0)
        fail("pthread_create: %s", strerror(r));
}

static uint64_t number(const char *text, const char *what) {
    char *rest;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (errno != 0 || rest == text || (*rest != '\0' && *rest != '\n') || value > INT_MAX || *text == '-')
        fail("%s is not a valid number: %s", what, text);
    return value;
}

static bool resting(void) {
    return task.work == IDLE || task.work == CHATTY;
}

static void run_rounds(uint64_t (*run)(uint64_t end)) {
    if (!resting())
        run(0); /* a round that is not counted */
    say("ready");
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        uint64_t milliseconds = number(line, "the length of a round");
        if (resting()) {
            say("0 0 0");
            continue;
        }
        uint64_t begin = now();
        uint64_t operations = run(begin + milliseconds * 1000000);
        uint64_t elapsed = now() - begin;
        snprintf(line, sizeof line, "%llu %llu -1", (unsigned long long)operations, (unsigned long long)elapsed);
        say(line);
    }
}

static enum work parse_work(const char *name) {
    static const struct {
        const char *name;
        enum work work;
    } works[] = {
        {"roundtrip", ROUNDTRIP}, {"stream", STREAM}, {"buffered", BUFFERED}, {"connect", CONNECT},
        {"files", FILES},         {"idle", IDLE},     {"busy", BUSY},
        {"chatty", CHATTY},
    };
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        if (strcmp(name, works[i].name) == 0)
            return works[i].work;
    }
    unsupported("no such work: %s", name);
}

static const variant *find_variant(const variant *variants, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, variants[i].name) == 0)
            return &variants[i];
    }
    unsupported("no such variant: %s", name);
}

static void raise_limit_of_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("setrlimit: %s", strerror(errno));
}

int contend(int argc, char **argv, const variant *variants, size_t count, const char *beside) {
    program = argc > 0 ? argv[0] : "?";
    if (argc != 7 || (strcmp(argv[1], "server") != 0 && strcmp(argv[1], "client") != 0))
        fail("usage: %s server|client VARIANT WORK SIZE COUNT ADDRESS", program);
    bool server = strcmp(argv[1], "server") == 0;
    task.variant = find_variant(variants, count, argv[2]);
    task.work = parse_work(argv[3]);
    task.size = number(argv[4], "SIZE");
    task.count = number(argv[5], "COUNT");
    task.address = argv[6];
    task.events = task.work == BUSY || (resting() && server);
    if (!(task.variant->works & task.work))
        unsupported("the variant %s does no %s", argv[2], argv[3]);
    if (task.size == 0 || task.count == 0)
        fail("SIZE and COUNT must be over 0");
    beside_address = beside;
    raise_limit_of_files();
    t = task.variant->transport;
    unit = allocate(task.size);
    if (server) {
        t != NULL ? serve() : task.variant->serve();
    } else {
        t != NULL ? open_client() : task.variant->connect();
        run_rounds(t != NULL ? one_round : task.variant->round);
    }
    return 0;
}
