/* Waiting: what timeouts mean, and that signals do not end a wait, for every call that can wait. */
#include "fixture.h"

#include <sys/time.h>

/* What the operations work on, set up so that each of them has to wait. */
static struct scene {
    lipc_name name;
    lipc_listener *listener;
    lipc_handle a, b; /* connected with each other; b's side is full */
    lipc_handle clients[16];
    int clients_count;
} s;

static void set_up(void) {
    s.name = name_for(LIPC_NAME_PATH, "s");
    s.listener = listen_narrowly(&s.name);
    CHECK_OK(lipc_pair(LIPC_STREAM, &s.a, &s.b));
    static char data[1 << 20];
    while (lipc_write(s.b, data, sizeof data, 0) > 0) {
    }
}

static void tear_down(void) {
    close_all((lipc_handle[]){s.a, s.b}, 2);
    close_all(s.clients, s.clients_count);
    s.clients_count = 0;
    lipc_listener_close(s.listener);
}

static char data[64];
static lipc_buffer buffer = {data, sizeof data};
static lipc_handle made;

static int64_t do_read(int timeout_ms) {
    return lipc_read(s.b, data, sizeof data, timeout_ms);
}

static int64_t do_readv(int timeout_ms) {
    return lipc_readv(s.b, &buffer, 1, timeout_ms);
}

static int64_t do_write(int timeout_ms) {
    return lipc_write(s.b, data, sizeof data, timeout_ms);
}

static int64_t do_writev(int timeout_ms) {
    return lipc_writev(s.b, &buffer, 1, timeout_ms);
}

static int64_t do_accept(int timeout_ms) {
    return lipc_accept(s.listener, timeout_ms, NULL, &made);
}

static int64_t do_connect(int timeout_ms) {
    return lipc_connect(&s.name, NULL, timeout_ms, &made);
}

/* What another process does to end the wait. */
static void give_bytes(void) {
    CHECK_INT(sizeof data, lipc_write(s.a, data, sizeof data, WAIT));
}

static void make_room(void) {
    static char sink[1 << 16];
    while (lipc_read(s.a, sink, sizeof sink, 0) > 0) {
    }
}

static void connect_once(void) {
    CHECK_OK(lipc_close(connect_to(&s.name)));
}

static void accept_once(void) {
    CHECK_OK(lipc_close(accept_from(s.listener)));
}

static const struct {
    const char *name;
    int64_t (*perform)(int timeout_ms);
    void (*end_wait)(void);
    int64_t success;
} operations[] = {
    {"read", do_read, give_bytes, sizeof data},
    {"readv", do_readv, give_bytes, sizeof data},
    {"write", do_write, make_room, sizeof data},
    {"writev", do_writev, make_room, sizeof data},
    {"accept", do_accept, connect_once, 0},
    {"connect", do_connect, accept_once, 0},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void begin(int i) {
    test_row = operations[i].name;
    set_up();
    if (operations[i].perform == do_connect)
        s.clients_count = fill_backlog(&s.name, s.clients, 16);
    memset(&made, UNTOUCHED, sizeof made);
    memset(data, UNTOUCHED, sizeof data);
}

TEST(no_time_does_not_wait_and_some_time_runs_out) {
    for (int i = 0; i < OPERATIONS; i++) {
        begin(i);
        for (int round = 0; round < 2; round++) {
            CHECK_ERROR(LIPC_EAGAIN, operations[i].perform(0));
            CHECK_ERROR(LIPC_ETIMEDOUT, operations[i].perform(1));
            CHECK_ERROR(LIPC_ETIMEDOUT, operations[i].perform(20));
        }
        CHECK(is_untouched(&made, sizeof made) && is_untouched(data, sizeof data));
        tear_down();
    }
}

static int process_end = -1;

/* Ends the wait of operation *argument when the test says so. */
static void end_wait_when_told(const void *argument) {
    ready();
    char byte;
    CHECK(read(process_end, &byte, 1) == 1);
    operations[*(const int *)argument].end_wait();
}

static volatile sig_atomic_t ticks;
static int tell_end = -1;

/* So many that the call was interrupted while it waited. */
static void tick(int signal_number) {
    (void)signal_number;
    if (++ticks == 50 && tell_end >= 0 && write(tell_end, "", 1) != 1)
        _exit(TEST_FAILED);
}

static void start_storm(void) {
    struct itimerval every = {{0, 500}, {0, 500}};
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_handler = tick; /* without SA_RESTART */
    ticks = 0;
    CHECK(sigaction(SIGALRM, &act, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void end_storm(void) {
    CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL) == 0);
}

TEST(signals_do_not_end_a_wait) {
    static const int timeouts[] = {-1, WAIT};
    for (int i = 0; i < OPERATIONS; i++)
        for (int j = 0; j < 2; j++) {
            int ends[2];
            begin(i);
            CHECK(pipe(ends) == 0);
            process_end = ends[0];
            tell_end = ends[1];
            pid_t process = start(end_wait_when_told, &i);
            start_storm();
            int64_t r = operations[i].perform(timeouts[j]);
            end_storm();
            CHECK_INT(operations[i].success, r);
            CHECK(ticks >= 50);
            join(process);
            if (operations[i].success == 0)
                CHECK_OK(lipc_close(made));
            close(ends[0]);
            close(ends[1]);
            tear_down();
        }
}

TEST(signals_do_not_prolong_a_wait) {
    tell_end = -1;
    for (int i = 0; i < OPERATIONS; i++) {
        begin(i);
        start_storm();
        int64_t r = operations[i].perform(50);
        end_storm();
        CHECK_ERROR(LIPC_ETIMEDOUT, r);
        CHECK(ticks > 0 && is_untouched(&made, sizeof made));
        tear_down();
    }
}

TEST(what_can_be_done_at_once_is_done_whatever_the_time) {
    static const int timeouts[] = {0, 1, -1, INT32_MAX, INT32_MIN};
    for (int i = 0; i < OPERATIONS; i++)
        for (size_t j = 0; j < sizeof timeouts / sizeof *timeouts; j++) {
            begin(i);
            operations[i].end_wait();
            CHECK_INT(operations[i].success, operations[i].perform(timeouts[j]));
            if (operations[i].success == 0)
                CHECK_OK(lipc_close(made));
            tear_down();
        }
}
