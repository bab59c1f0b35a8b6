/* Watching signals. */
#include "signals.h"

/* seccomp(2) makes calls of one thread fail; other systems, C libraries and emulators lack it or its header. */
#if defined(__linux__) && defined(__x86_64__) && defined(__LP64__) && defined(__GLIBC__)
#define FAILS_SENDS 1
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#endif

#ifdef __linux__
#include <sys/syscall.h>
#endif

/* ---------------------------------------- What arrives ------------------------------------------ */

static void kill_parent(const void *signal) {
    CHECK(kill(getppid(), *(const int *)signal) == 0);
}

TEST(a_signal_arrives_with_its_sender) {
    const int signal = SIGHUP;
    lipc_handle watch = watch_for(signal);
    check_none(watch);
    pid_t child = in_child(kill_parent, &signal);
    lipc_signal_info info = take(watch);
    check_sent_by(&info, SIGHUP, SI_USER, child);
    CHECK_INT(0, info.value);
    CHECK_INT(0, info.status);
    check_none(watch);
    join(child);
    close_watch(watch);
}

TEST(a_signal_that_ends_a_process_does_not_while_it_is_watched) {
    lipc_handle watch = watch_for(SIGTERM);
    CHECK_OK(lipc_signal_send(getpid(), SIGTERM));
    lipc_signal_info info = take(watch);
    check_sent_by(&info, SIGTERM, SI_USER, getpid());
    close_watch(watch);
}

static void queue_to_parent(const void *value) {
    CHECK_OK(lipc_signal_queue(getppid(), SIGUSR1, *(const int *)value));
}

TEST(a_value_arrives_with_its_sender) {
#ifdef QUEUES_SIGNALS
    const int values[] = {0, 1, -1, 0x7fffffff, -0x7fffffff - 1};
    lipc_handle watch = watch_for(SIGUSR1);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        pid_t child = in_child(queue_to_parent, &values[i]);
        lipc_signal_info info = take(watch);
        check_sent_by(&info, SIGUSR1, SI_QUEUE, child);
        CHECK_INT(values[i], info.value);
        join(child);
    }
    close_watch(watch);
#else
    (void)queue_to_parent;
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_queue(getpid(), SIGUSR1, 1));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_realtime(0));
#endif
}

TEST(one_watch_watches_several_signals_and_no_others) {
    const int wanted[] = {SIGUSR1, SIGUSR2, SIGUSR1};
    lipc_handle watch, other = watch_for(SIGHUP);
    CHECK_OK(lipc_signal_watch(wanted, 3, NULL, &watch));
    CHECK(raise(SIGUSR2) == 0 && raise(SIGHUP) == 0 && raise(SIGUSR1) == 0);
    CHECK_INT(SIGUSR2, take(watch).signal);
    CHECK_INT(SIGUSR1, take(watch).signal);
    check_none(watch);
    CHECK_INT(SIGHUP, take(other).signal);
    check_none(other);
    close_watch(watch);
    close_watch(other);
}

TEST(each_of_several_watches_gets_every_signal) {
    lipc_handle watches[3];
    for (int i = 0; i < 3; i++)
        watches[i] = watch_for(SIGUSR1);
    CHECK(raise(SIGUSR1) == 0);
    close_watch(watches[0]);
    CHECK(raise(SIGUSR1) == 0);
    for (int i = 1; i < 3; i++) {
        CHECK_INT(SIGUSR1, take(watches[i]).signal);
        CHECK_INT(SIGUSR1, take(watches[i]).signal);
        check_none(watches[i]);
        close_watch(watches[i]);
    }
}

static bool is_readable(lipc_handle watch) {
    struct pollfd p = {.fd = (int)watch, .events = POLLIN};
    int n = poll(&p, 1, 0);
    CHECK(n >= 0);
    return n > 0;
}

TEST(the_handle_is_readable_as_long_as_there_is_something_to_take) {
    lipc_handle watch = watch_for(SIGUSR1);
    check_born(watch);
    for (int round = 0; round < 3; round++) {
        CHECK(!is_readable(watch));
        for (int i = 0; i < 3; i++)
            CHECK(raise(SIGUSR1) == 0);
        for (int i = 0; i < 3; i++) {
            CHECK(is_readable(watch));
            take(watch);
            if (i == 0) { /* one more, after the reader was told */
                CHECK(raise(SIGUSR1) == 0);
                CHECK(is_readable(watch));
                take(watch);
            }
        }
        check_none(watch);
    }
    close_watch(watch);
}

TEST(a_wait_ends_with_the_signal_or_the_time) {
    const int signal = SIGUSR1;
    lipc_signal_info info = {.size = sizeof info}, before = info;
    lipc_handle watch = watch_for(signal);
    CHECK_ERROR(LIPC_EAGAIN, lipc_signal_next(watch, 0, &info));
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_signal_next(watch, 1, &info));
    CHECK(memcmp(&info, &before, sizeof info) == 0);
    pid_t child = in_child(kill_parent, &signal);
    CHECK_OK(lipc_signal_next(watch, -1, &info));
    CHECK_INT(child, info.pid);
    join(child);
    close_watch(watch);
}

#ifdef __linux__
static void *raise_cancelled(void *unused) {
    (void)unused;
    CHECK(pthread_cancel(pthread_self()) == 0);
    CHECK(raise(SIGUSR1) == 0);
    pthread_testcancel();
    return NULL;
}

TEST(a_thread_is_not_cancelled_in_the_handler) {
    pthread_t thread;
    void *result;
    lipc_handle watch = watch_for(SIGUSR1);
    CHECK(pthread_create(&thread, NULL, raise_cancelled, NULL) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK(is_readable(watch));
    take(watch);
    close_watch(watch);
}
#endif

#ifdef FAILS_SENDS
/* Takes a signal while the system has no memory to wake the reader. */
static void *take_without_memory(void *unused) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOBUFS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof code / sizeof *code, code};
    (void)unused;
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
    CHECK(raise(SIGUSR1) == 0);
    return NULL;
}

TEST(the_next_signal_wakes_if_the_system_had_no_memory_to_wake_before) {
    pthread_t thread;
    lipc_handle watch = watch_for(SIGUSR1);
    struct pollfd p = {.fd = (int)watch, .events = POLLIN};
    CHECK(pthread_create(&thread, NULL, take_without_memory, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK_INT(1, poll(&p, 1, WAIT));
    take(watch);
    take(watch);
    check_none(watch);
    close_watch(watch);
}
#endif

#if defined(__linux__) && defined(QUEUES_SIGNALS)
TEST(a_sender_that_the_system_had_no_memory_to_note_is_not_known_and_not_root) {
    struct rlimit limit, none = {0, 0};
    lipc_handle watch = watch_for(lipc_signal_realtime(0));
    CHECK(getrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    none.rlim_max = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    CHECK(kill(getpid(), lipc_signal_realtime(0)) == 0);
    CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    lipc_signal_info info = take(watch);
    CHECK_INT(SI_USER, info.code);
    CHECK_INT(-1, info.pid);
    CHECK_INT(-1, info.uid);
    close_watch(watch);
}

static void claim(const void *code) {
    siginfo_t claim;
    memset(&claim, 0, sizeof claim);
    claim.si_signo = SIGUSR1;
    claim.si_code = *(const int *)code;
    claim.si_pid = 1;
    claim.si_uid = getuid() + 1;
    if (claim.si_code == SI_QUEUE)
        CHECK(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &claim) == 0);
    else
        CHECK(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &claim) < 0 && errno == EPERM);
}

/* What the header says of whom to believe. */
TEST(a_sender_lies_with_a_value_and_cannot_lie_without) {
    const int codes[] = {SI_QUEUE, SI_USER, SI_TKILL};
    lipc_handle watch = watch_for(SIGUSR1);
    for (int i = 0; i < 3; i++)
        join(in_child(claim, &codes[i]));
    lipc_signal_info info = take(watch);
    CHECK_INT(SI_QUEUE, info.code);
    CHECK_INT(1, info.pid);
    CHECK_INT(getuid() + 1, info.uid);
    check_none(watch);
    close_watch(watch);
}

TEST(a_timer_is_nobody_and_has_its_value) {
    timer_t timer;
    struct sigevent event;
    lipc_handle watch = watch_for(SIGUSR1);
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_int = 42;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &(struct itimerspec){.it_value = {.tv_nsec = 1}}, NULL) == 0);
    lipc_signal_info info = take(watch);
    CHECK_INT(SI_TIMER, info.code);
    CHECK_INT(-1, info.pid);
    CHECK_INT(-1, info.uid);
    CHECK_INT(42, info.value);
    CHECK(timer_delete(timer) == 0);
    close_watch(watch);
}
#endif

/* ------------------------------------------ Children -------------------------------------------- */

static void be_told(const void *from) {
    char order;
    while (read(*(const int *)from, &order, 1) == 1)
        if (order == 'e')
            _exit(7);
}

static void check_child(lipc_handle watch, int code, int status, pid_t child) {
    lipc_signal_info info = take(watch);
    check_sent_by(&info, SIGCHLD, code, child);
    CHECK_INT(status, info.status);
}

TEST(the_end_of_a_child_is_told_exactly) {
    int orders[2];
    lipc_handle watch = watch_for(SIGCHLD);
    CHECK(pipe(orders) == 0);
    pid_t child = in_child(be_told, orders);
    CHECK(write(orders[1], "e", 1) == 1);
    check_child(watch, CLD_EXITED, 7, child);
    CHECK(waitpid(child, NULL, 0) == child);
    const int deadly[] = {SIGTERM, SIGKILL, SIGHUP};
    for (int i = 0; i < 3; i++) {
        child = in_child(be_told, orders);
        CHECK_OK(lipc_signal_send(child, deadly[i]));
        check_child(watch, CLD_KILLED, deadly[i], child);
        check_killed_by(deadly[i], child);
    }
    check_none(watch);
    close_all((lipc_handle[]){orders[0], orders[1]}, 2);
    close_watch(watch);
}

TEST(stops_of_children_come_to_the_watches_that_ask_for_them) {
    int orders[2];
    const lipc_signal_options options = {.size = sizeof options, .child_stops = 1};
    lipc_handle plain = watch_for(SIGCHLD), informed = watch_with(SIGCHLD, &options);
    CHECK(pipe(orders) == 0);
    pid_t child = in_child(be_told, orders);
    CHECK_OK(lipc_signal_send(child, SIGSTOP));
    check_child(informed, CLD_STOPPED, SIGSTOP, child);
    CHECK_OK(lipc_signal_send(child, SIGCONT));
    check_child(informed, CLD_CONTINUED, SIGCONT, child);
    check_none(plain);
    close_watch(informed); /* then the system no longer sends them */
    CHECK_OK(lipc_signal_send(child, SIGSTOP));
    int status;
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    CHECK_OK(lipc_signal_send(child, SIGKILL));
    check_child(plain, CLD_KILLED, SIGKILL, child);
    check_killed_by(SIGKILL, child);
    check_none(plain);
    close_all((lipc_handle[]){orders[0], orders[1]}, 2);
    close_watch(plain);
}

/* ----------------------------------------- What fails ------------------------------------------- */

TEST(what_cannot_be_watched_is_refused_with_the_reason) {
    static const struct {
        int signal, code;
    } rows[] = {
        {SIGKILL, LIPC_EINVAL},
        {SIGSTOP, LIPC_EINVAL},
        {SIGSEGV, LIPC_ENOTSUP},
        {SIGBUS, LIPC_ENOTSUP},
        {SIGFPE, LIPC_ENOTSUP},
        {SIGILL, LIPC_ENOTSUP},
        {SIGTRAP, LIPC_ENOTSUP},
        {SIGSYS, LIPC_ENOTSUP},
        {LIPC_SIGNAL_BREAK, LIPC_ENOTSUP},
        {LIPC_SIGNAL_SHUTDOWN, LIPC_ENOTSUP},
        {0, LIPC_EINVAL},
        {-1, LIPC_EINVAL},
        {128, LIPC_EINVAL},
        {129, LIPC_EINVAL},
        {1000, LIPC_EINVAL},
#ifdef __GLIBC__
        {32, LIPC_EINVAL},
        {33, LIPC_EINVAL},
#endif
    };
    struct sigaction before = disposition_of(SIGUSR1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[32];
        snprintf(row, sizeof row, "signal %d", rows[i].signal);
        test_row = row;
        lipc_handle watch = UNTOUCHED;
        int wanted[] = {SIGUSR1, rows[i].signal, SIGUSR2};
        CHECK_ERROR(rows[i].code, lipc_signal_watch(wanted, 3, NULL, &watch));
        CHECK_INT(UNTOUCHED, watch);
        check_disposition(SIGUSR1, &before);
        check_disposition(SIGUSR2, &before);
    }
}

TEST(arguments_are_checked) {
    const int signal = SIGUSR1;
    lipc_handle watch = UNTOUCHED;
    lipc_signal_options options = {.size = sizeof options};
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_watch(&signal, 0, NULL, &watch));
    options.queue_size = (uint32_t)LIPC_SIGNAL_QUEUE_MAX + 1;
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_watch(&signal, 1, &options, &watch));
    options = (lipc_signal_options){.size = 1};
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_watch(&signal, 1, &options, &watch));
    struct {
        lipc_signal_options options;
        int more;
    } later = {.options = {.size = sizeof later}, .more = 1};
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_watch(&signal, 1, &later.options, &watch));
    CHECK_INT(UNTOUCHED, watch);

    watch = watch_for(signal);
    lipc_signal_info info = {.size = 1};
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_next(watch, 0, &info));
    CHECK(raise(signal) == 0);
    memset(&info, UNTOUCHED, sizeof info);
    info.size = offsetof(lipc_signal_info, code); /* of an earlier version */
    CHECK_OK(lipc_signal_next(watch, 0, &info));
    CHECK_INT(signal, info.signal);
    CHECK(is_untouched(&info.code, sizeof info - offsetof(lipc_signal_info, code)));
    info = (lipc_signal_info){.size = sizeof info};
    close_watch(watch);
    CHECK_ERROR(LIPC_EBADF, lipc_signal_close(watch));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(watch, 0, &info));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(LIPC_INVALID_HANDLE, 0, &info));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_close(LIPC_INVALID_HANDLE));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_close(STDERR_FILENO));
}

TEST(a_process_has_so_many_watches_and_no_more) {
    lipc_handle watches[LIPC_SIGNAL_WATCHES], more = UNTOUCHED;
    const int signal = SIGUSR1;
    for (int i = 0; i < LIPC_SIGNAL_WATCHES; i++)
        watches[i] = watch_for(signal);
    CHECK_ERROR(LIPC_EMFILE, lipc_signal_watch(&signal, 1, NULL, &more));
    CHECK_INT(UNTOUCHED, more);
    close_watch(watches[40]);
    watches[40] = watch_for(signal);
    CHECK(raise(signal) == 0);
    for (int i = 0; i < LIPC_SIGNAL_WATCHES; i++) {
        take(watches[i]);
        close_watch(watches[i]);
    }
}

TEST(a_watch_that_can_wake_nobody_any_more_is_not_waited_for) {
    lipc_handle watch = watch_for(SIGUSR1);
    lipc_signal_info info = {.size = sizeof info};
    CHECK(shutdown((int)watch, SHUT_RDWR) == 0);
    CHECK(raise(SIGUSR1) == 0);
    take(watch);
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(watch, WAIT, &info));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(watch, 0, &info));
    close_watch(watch);
}

/* The first of the descriptors is in use again then; the other is lost. */
static void watch_with_a_descriptor_that_was_closed(const void *unused) {
    (void)unused;
    lipc_handle first = watch_for(SIGUSR1), other = watch_for(SIGUSR1);
    CHECK(close((int)first) == 0);
    CHECK(first == watch_for(SIGUSR2));
    CHECK(raise(SIGUSR1) == 0);
    CHECK_INT(SIGUSR1, take(other).signal);
    check_none(first);
    CHECK(raise(SIGUSR2) == 0);
    CHECK_INT(SIGUSR2, take(first).signal);
    check_none(other);
    close_watch(first);
    close_watch(other);
    check_disposition(SIGUSR1, &(struct sigaction){.sa_handler = SIG_DFL});
}

TEST(a_watch_whose_descriptor_was_closed_by_mistake_harms_no_other) {
    join(in_child(watch_with_a_descriptor_that_was_closed, NULL));
}
