/* Watches and the handlers of the program: what was there before, and how the library's handler is installed. */
#include "signals.h"

static volatile sig_atomic_t plain_calls, informed_calls, informed_value;

static void handle_plainly(int signal) {
    (void)signal;
    plain_calls++;
}

static void handle_informed(int signal, siginfo_t *info, void *context) {
    (void)signal;
    informed_calls += context != NULL;
    informed_value = (int)info->si_pid;
}

/* The dispositions that a signal may have before it is watched. */
static void set_disposition(int signal, int row) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    switch (row) {
    case 0: action.sa_handler = SIG_DFL; break;
    case 1: action.sa_handler = SIG_IGN; break;
    case 2:
        action.sa_handler = handle_plainly;
        action.sa_flags = SA_NODEFER;
        break;
    default:
        action.sa_sigaction = handle_informed;
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        sigaddset(&action.sa_mask, SIGTERM);
    }
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static const char *const dispositions[] = {"default", "ignored", "plain handler", "informed handler"};
enum { DISPOSITIONS = 4 };

TEST(closing_in_any_order_restores_what_was_there_before_the_first_watch) {
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int row = 0; row < DISPOSITIONS; row++)
        for (int order = 0; order < 6; order++) {
            test_row = dispositions[row];
            lipc_handle watches[3];
            set_disposition(SIGUSR1, row);
            struct sigaction before = disposition_of(SIGUSR1);
            for (int i = 0; i < 3; i++)
                watches[i] = watch_for(SIGUSR1);
            for (int i = 0; i < 3; i++) {
                struct sigaction now = disposition_of(SIGUSR1);
                CHECK((now.sa_flags & SA_SIGINFO) && now.sa_sigaction != before.sa_sigaction);
                CHECK(now.sa_flags & SA_ONSTACK);
                close_watch(watches[orders[order][i]]);
            }
            check_disposition(SIGUSR1, &before);
        }
}

TEST(a_handler_that_came_meanwhile_stays) {
    lipc_handle first = watch_for(SIGUSR1), second = watch_for(SIGUSR1);
    set_disposition(SIGUSR1, 2);
    struct sigaction theirs = disposition_of(SIGUSR1);
    close_watch(first);
    check_disposition(SIGUSR1, &theirs);
    close_watch(second);
    check_disposition(SIGUSR1, &theirs);
    CHECK(raise(SIGUSR1) == 0);
    CHECK_INT(1, plain_calls);
}

TEST(a_watch_that_begins_takes_the_place_of_a_handler_that_came_meanwhile) {
    lipc_handle first = watch_for(SIGUSR1);
    set_disposition(SIGUSR1, 2);
    struct sigaction theirs = disposition_of(SIGUSR1);
    lipc_handle second = watch_for(SIGUSR1);
    CHECK(raise(SIGUSR1) == 0);
    CHECK_INT(0, plain_calls);
    take(first);
    take(second);
    close_watch(second);
    close_watch(first);
    check_disposition(SIGUSR1, &theirs);
}

TEST(the_handler_of_before_is_called_if_a_watch_forwards) {
    const lipc_signal_options options = {.size = sizeof options, .forwards = 1};
    for (int row = 0; row < DISPOSITIONS; row++) {
        test_row = dispositions[row];
        plain_calls = informed_calls = 0;
        set_disposition(SIGUSR1, row);
        lipc_handle first = watch_for(SIGUSR1);
        CHECK(raise(SIGUSR1) == 0);
        CHECK_INT(0, plain_calls + informed_calls);
        lipc_handle second = watch_with(SIGUSR1, &options);
        CHECK(kill(getpid(), SIGUSR1) == 0);
        CHECK_INT(row == 2, plain_calls);
        CHECK_INT(row == 3, informed_calls);
        if (row == 3)
            CHECK_INT(getpid(), informed_value);
        close_watch(second);
        CHECK(raise(SIGUSR1) == 0);
        CHECK_INT(row >= 2, plain_calls + informed_calls);
        for (int i = 0; i < 3; i++)
            take(first);
        check_none(first);
        close_watch(first);
    }
}

static void *open_and_close_forwarding(void *stop) {
    const lipc_signal_options options = {.size = sizeof options, .forwards = 1, .queue_size = 8};
    while (!__atomic_load_n((bool *)stop, __ATOMIC_SEQ_CST))
        close_watch(watch_with(SIGUSR1, &options));
    return NULL;
}

TEST(the_handler_of_before_gets_every_signal_while_watches_that_forward_begin_and_end) {
    enum { SIGNALS = 100000 };
    pthread_t thread;
    sigset_t set, was;
    bool stop = false;
    set_disposition(SIGUSR1, 2);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, &was) == 0);
    CHECK(pthread_create(&thread, NULL, open_and_close_forwarding, &stop) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &was, NULL) == 0);
    for (int i = 0; i < SIGNALS; i++)
        CHECK(raise(SIGUSR1) == 0);
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(SIGNALS, plain_calls);
}

TEST(what_any_watch_asks_for_is_how_the_handler_is_installed) {
    lipc_signal_options options = {.size = sizeof options};
    lipc_handle plain = watch_for(SIGCHLD);
    CHECK_INT(SA_RESTART | SA_NOCLDSTOP, disposition_of(SIGCHLD).sa_flags & (SA_RESTART | SA_NOCLDSTOP));
    options.interrupts = 1;
    lipc_handle interrupting = watch_with(SIGCHLD, &options);
    CHECK_INT(SA_NOCLDSTOP, disposition_of(SIGCHLD).sa_flags & (SA_RESTART | SA_NOCLDSTOP));
    options.interrupts = 0;
    options.child_stops = 1;
    lipc_handle informed = watch_with(SIGCHLD, &options);
    CHECK_INT(0, disposition_of(SIGCHLD).sa_flags & (SA_RESTART | SA_NOCLDSTOP));
    close_watch(interrupting);
    CHECK_INT(SA_RESTART, disposition_of(SIGCHLD).sa_flags & (SA_RESTART | SA_NOCLDSTOP));
    close_watch(informed);
    CHECK_INT(SA_RESTART | SA_NOCLDSTOP, disposition_of(SIGCHLD).sa_flags & (SA_RESTART | SA_NOCLDSTOP));
    close_watch(plain);
}

TEST(a_system_call_fails_with_eintr_if_a_watch_interrupts) {
    const lipc_signal_options options = {.size = sizeof options, .interrupts = 1};
    lipc_handle watch = watch_with(SIGALRM, &options);
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    const struct itimerval often = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}};
    const struct itimerval never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0); /* again and again: the first may come before the call */
    CHECK(read(ends[0], &byte, 1) < 0 && errno == EINTR);
    lipc_signal_info info = {.size = sizeof info};
    CHECK_OK(lipc_signal_next(watch, WAIT, &info)); /* the library's own calls go on */
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    close_all((lipc_handle[]){ends[0], ends[1]}, 2);
    close_watch(watch);
}

TEST(a_handler_keeps_errno_and_raises_no_sigpipe) {
    lipc_handle watch = watch_for(SIGUSR1);
    CHECK(shutdown((int)watch, SHUT_RDWR) == 0); /* so that waking the reader fails */
    errno = 12345;
    raise(SIGUSR1);
    CHECK_INT(12345, errno);
    take(watch);
    close_watch(watch);
}

#ifdef __linux__
/* The signals that have handlers, by /proc/PID/status. */
static uint64_t caught(void) {
    char line[256];
    unsigned long long set = 0;
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "SigCgt: %llx", &set) == 1)
            break;
    CHECK(fclose(status) == 0);
    return set;
}

TEST(a_process_that_watches_nothing_has_no_handler) {
    uint64_t before = caught();
    CHECK_OK(lipc_signal_send(getpid(), 0));
    CHECK_INT((int64_t)before, (int64_t)caught());
    lipc_handle watch = watch_for(SIGUSR1);
    CHECK_INT((int64_t)(before | (uint64_t)1 << (SIGUSR1 - 1)), (int64_t)caught());
    close_watch(watch);
    CHECK_INT((int64_t)before, (int64_t)caught());
}
#endif
