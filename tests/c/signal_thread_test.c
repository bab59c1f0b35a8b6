/* Signals that interrupt everything: threads that allocate, fork, execute programs, and open and close watches, while
 * other processes send as fast as they can. SIGNAL_SECONDS says for how long; LIPC_TEST_SECONDS must be more then. */
#include "signals.h"

#include <spawn.h>

extern char **environ;

#ifdef QUEUES_SIGNALS
#define MARKED lipc_signal_realtime(2)
#else
#define MARKED SIGUSR2
#endif
enum { ORDINARY = SIGUSR1, KEPT = 12345 /* an errno that nothing sets */ };

static bool over;

static bool is_over(void) {
    return __atomic_load_n(&over, __ATOMIC_SEQ_CST);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sends bursts until it is told to end, and reports how many of the marked it queued. There are pauses, because Linux
 * begins fork(2) anew whenever a signal comes. */
static void send_all(const void *argument) {
    const int *pipes = argument; /* the order to end; the report */
    struct pollfd order = {.fd = pipes[0], .events = POLLIN};
    int sent = 0;
    do {
        for (int i = 0; i < 20; i++) {
            CHECK_OK(lipc_signal_send(getppid(), ORDINARY));
#ifdef QUEUES_SIGNALS
            int r = lipc_signal_queue(getppid(), MARKED, sent);
            CHECK(r >= 0 || lipc_error_code(r) == LIPC_EAGAIN);
            sent += r >= 0;
#endif
        }
    } while (poll(&order, 1, 1) == 0);
    CHECK(write(pipes[1], &sent, sizeof sent) == sizeof sent);
}

static void *allocate(void *unused) {
    (void)unused;
    while (!is_over()) {
        void *blocks[16];
        for (size_t i = 0; i < 16; i++) {
            blocks[i] = malloc(16u << i);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], 1, 16);
        }
        errno = KEPT;
        for (volatile int i = 0; i < 1000; i++)
            CHECK_INT(KEPT, errno);
        for (int i = 0; i < 16; i++)
            free(blocks[i]);
    }
    return NULL;
}

static void *open_and_close(void *unused) {
    const int several[] = {ORDINARY, SIGHUP, MARKED};
    lipc_signal_options options = {.size = sizeof options, .queue_size = 8};
    (void)unused;
    while (!is_over()) {
        lipc_handle watches[4];
        lipc_signal_info info = {.size = sizeof info};
        for (int i = 0; i < 4; i++) {
            options.interrupts = i & 1;
            CHECK_OK(lipc_signal_watch(several, 3, &options, &watches[i]));
        }
        for (int i = 0; i < 4; i++) {
            int r = lipc_signal_next(watches[i], 1, &info);
            CHECK(r >= 0 || lipc_error_code(r) == LIPC_ETIMEDOUT);
        }
        for (int i = 0; i < 4; i++)
            close_watch(watches[i ^ 1]);
    }
    return NULL;
}

/* Children that watch and end, and programs. */
static void *fork_and_execute(void *unused) {
    (void)unused;
    char *arguments[] = {"true", NULL};
    for (int i = 0; !is_over(); i++) {
        pid_t child;
        int status;
        if (i % 2 == 0) {
            child = fork();
            if (child == 0) {
                lipc_handle watch = watch_for(ORDINARY);
#ifndef MERGES_SIGNALS
                CHECK(raise(ORDINARY) == 0);
                CHECK_INT(getpid(), take(watch).pid);
#endif
                close_watch(watch);
                _exit(TEST_PASSED);
            }
        } else {
            CHECK(posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ) == 0);
        }
        CHECK(child > 0);
        while (waitpid(child, &status, 0) != child)
            CHECK(errno == EINTR); /* a watch may ask for that */
        CHECK_INT(0, status);
    }
    return NULL;
}

typedef struct taken {
    lipc_handle watch;
    int64_t marked, dropped, children;
    bool stop;
} taken;

/* Takes what comes until there is nothing and the end was announced. It waits without a limit, so a wake-up that is
 * lost ends the test by its time. */
static void *take_all(void *argument) {
    taken *t = argument;
    struct pollfd p = {.fd = (int)t->watch, .events = POLLIN};
    for (;;) {
        lipc_signal_info info = {.size = sizeof info};
        bool stop = __atomic_load_n(&t->stop, __ATOMIC_SEQ_CST);
        int r = lipc_signal_next(t->watch, 0, &info);
        if (r >= 0) {
            t->dropped += info.dropped;
            t->marked += info.signal == MARKED;
            t->children += info.signal == SIGCHLD;
        } else {
            CHECK_ERROR(LIPC_EAGAIN, r);
            if (stop)
                return NULL;
            CHECK(poll(&p, 1, -1) == 1 || errno == EINTR);
        }
    }
}

TEST(signals_interrupt_everything_and_break_nothing) {
    void *(*const bodies[])(void *) = {allocate, open_and_close, open_and_close, fork_and_execute};
    enum { BODIES = sizeof bodies / sizeof *bodies, PROCESSES = 2 };
    const int wanted[] = {ORDINARY, MARKED, SIGCHLD};
    const lipc_signal_options options = {.size = sizeof options, .queue_size = 1 << 16};
    const char *seconds = getenv("SIGNAL_SECONDS");
    pthread_t threads[BODIES], reader;
    pid_t senders[PROCESSES];
    int orders[2], reports[2], sent = 0;
    taken t = {0};

    /* The thread sanitizer hands signals that it has kept to a child, which would die of them. */
    CHECK(signal(ORDINARY, SIG_IGN) == SIG_DFL && signal(MARKED, SIG_IGN) == SIG_DFL);
    CHECK(pipe(orders) == 0 && pipe(reports) == 0);
    CHECK_OK(lipc_signal_watch(wanted, 3, &options, &t.watch));
    CHECK(pthread_create(&reader, NULL, take_all, &t) == 0);
    for (int i = 0; i < PROCESSES; i++)
        senders[i] = in_child(send_all, (const int[]){orders[0], reports[1]});
    for (int i = 0; i < BODIES; i++)
        CHECK(pthread_create(&threads[i], NULL, bodies[i], NULL) == 0);

    for (const double end = now() + (seconds == NULL ? 1 : atof(seconds)); now() < end;)
        poll(NULL, 0, 10);
    __atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
    for (int i = 0; i < BODIES; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(write(orders[1], "", 1) == 1);
    for (int i = 0; i < PROCESSES; i++) {
        int n, status;
        while (read(reports[0], &n, sizeof n) != sizeof n)
            CHECK(errno == EINTR);
        sent += n;
        while (waitpid(senders[i], &status, 0) != senders[i])
            CHECK(errno == EINTR);
        CHECK_INT(0, status);
    }
    __atomic_store_n(&t.stop, true, __ATOMIC_SEQ_CST);
    CHECK(raise(ORDINARY) == 0); /* the reader may be waiting */
    CHECK(pthread_join(reader, NULL) == 0);
    CHECK(t.children > 0);
#if defined(QUEUES_SIGNALS) && !defined(MERGES_SIGNALS)
    CHECK(t.marked > 0);
    CHECK(t.marked <= sent && sent <= t.marked + t.dropped); /* others may have been dropped too */
#else
    (void)sent;
#endif
    close_all((lipc_handle[]){orders[0], orders[1], reports[0], reports[1]}, 4);
    close_watch(t.watch);
    CHECK(signal(ORDINARY, SIG_DFL) == SIG_IGN && signal(MARKED, SIG_DFL) == SIG_IGN);
}
