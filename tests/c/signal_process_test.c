/* Signals and other processes: those that fork(2) creates, and programs that they execute. */
#include "signals.h"

#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>

extern char **environ;

static volatile sig_atomic_t calls;

static void count(int signal) {
    (void)signal;
    calls++;
}

static void raise_terminate(const void *unused) {
    (void)unused;
    raise(SIGTERM);
    _exit(99);
}

TEST(a_forked_child_has_the_default_action_of_before) {
    lipc_handle watch = watch_for(SIGTERM);
    check_killed_by(SIGTERM, in_child(raise_terminate, NULL));
    check_none(watch);
    CHECK(raise(SIGTERM) == 0); /* the parent's is still the watch's */
    CHECK_INT(SIGTERM, take(watch).signal);
    close_watch(watch);
}

static void raise_twice(const void *wanted) {
    CHECK(raise(SIGTERM) == 0 && raise(SIGTERM) == 0);
    CHECK_INT(*(const int *)wanted, calls);
}

TEST(a_forked_child_has_the_handler_of_before) {
    void (*const handlers[])(int) = {count, SIG_IGN};
    for (int i = 0; i < 2; i++) {
        const int wanted = i == 0 ? 2 : 0;
        CHECK(signal(SIGTERM, handlers[i]) != SIG_ERR);
        lipc_handle watch = watch_for(SIGTERM);
        join(in_child(raise_twice, &wanted));
        check_none(watch);
        close_watch(watch);
    }
}

static void watch_as_a_child(const void *inherited) {
    const lipc_handle *parents = inherited;
    lipc_signal_info info = {.size = sizeof info};
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(parents[0], 0, &info));
    close_watch(parents[0]);
    lipc_handle watch = watch_for(SIGUSR1);
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(parents[1], 0, &info));
    CHECK(raise(SIGUSR1) == 0);
    info = take(watch);
    check_sent_by(&info, SIGUSR1, info.code, getpid());
    check_none(watch);
    close_watch(parents[1]);
    close_watch(watch);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_DFL && signal(SIGUSR2, SIG_DFL) == SIG_DFL);
}

TEST(a_forked_child_has_watches_of_its_own_and_closes_those_that_it_inherited) {
    lipc_handle watches[] = {watch_for(SIGUSR1), watch_for(SIGUSR2)};
    CHECK(raise(SIGUSR1) == 0);
    join(in_child(watch_as_a_child, watches));
    CHECK(raise(SIGUSR2) == 0);
    CHECK_INT(SIGUSR1, take(watches[0]).signal); /* the child has taken nothing */
    CHECK_INT(SIGUSR2, take(watches[1]).signal);
    check_none(watches[0]);
    check_none(watches[1]);
    close_watch(watches[0]);
    close_watch(watches[1]);
}

#if defined(MADV_WIPEONFORK) && !defined(LIPC_PLAIN_POSIX)
static void watch_as_the_first_process(const void *inherited) {
    const lipc_handle parents = *(const lipc_handle *)inherited;
    lipc_signal_info info = {.size = sizeof info};
    CHECK_INT(1, getpid());
    CHECK(raise(SIGUSR1) == 0);
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(parents, 0, &info));
    CHECK(disposition_of(SIGUSR1).sa_handler == SIG_IGN);
    lipc_handle watch = watch_for(SIGUSR1);
    CHECK_ERROR(LIPC_EBADF, lipc_signal_next(parents, 0, &info));
    CHECK(raise(SIGUSR1) == 0);
    take(watch);
    check_none(watch);
    close_watch(parents);
    close_watch(watch);
}

static void fork_in_another_namespace(const void *unused) {
    (void)unused;
    CHECK_INT(1, getpid());
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    lipc_handle watch = watch_for(SIGUSR1);
    CHECK(unshare(CLONE_NEWPID) == 0);
    join(in_child(watch_as_the_first_process, &watch));
    check_none(watch);
    CHECK(raise(SIGUSR1) == 0);
    take(watch);
    close_watch(watch);
}

static void fork_in_a_namespace(const void *unused) {
    CHECK(unshare(CLONE_NEWPID) == 0);
    join(in_child(fork_in_another_namespace, unused));
}

TEST(a_child_with_the_process_id_of_its_parent_has_watches_of_its_own) {
    NEEDS_ROOT();
    join(in_child(fork_in_a_namespace, NULL)); /* the leak sanitizer fails in a process that called unshare(2) */
}
#endif

static void *open_and_close(void *stop) {
    while (!__atomic_load_n((bool *)stop, __ATOMIC_SEQ_CST))
        close_watch(watch_for(SIGUSR2));
    return NULL;
}

static void watch_anew(const void *unused) {
    (void)unused;
    close_watch(watch_for(SIGUSR2));
}

/* The lock, too, is copied by fork(2), perhaps while another thread has it. */
TEST(a_child_can_watch_that_was_forked_while_another_thread_watches) {
    pthread_t thread;
    bool stop = false;
    CHECK(pthread_create(&thread, NULL, open_and_close, &stop) == 0);
    for (int i = 0; i < 200; i++)
        join(in_child(watch_anew, NULL));
    __atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
    CHECK(pthread_join(thread, NULL) == 0);
}

#ifdef __linux__
TEST(a_program_that_a_child_executes_has_default_handling) {
    static const char *const sets[] = {"SigBlk:", "SigIgn:", "SigCgt:"};
    const uint64_t watched = (uint64_t)1 << (SIGUSR1 - 1) | (uint64_t)1 << (SIGTERM - 1);
    const int wanted[] = {SIGUSR1, SIGTERM};
    char *arguments[] = {"cat", "/proc/self/status", NULL}, text[8192];
    lipc_handle watch;
    int ends[2];
    size_t length = 0;
    ssize_t n;
    pid_t child;
    CHECK_OK(lipc_signal_watch(wanted, 2, NULL, &watch));
    for (int way = 0; way < 2; way++) { /* fork(2) and vfork(2), as posix_spawn(3) has it */
        posix_spawn_file_actions_t actions;
        CHECK(pipe(ends) == 0);
        CHECK(posix_spawn_file_actions_init(&actions) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0);
        if (way == 0) {
            child = fork();
            if (child == 0) {
                dup2(ends[1], STDOUT_FILENO);
                execvp(arguments[0], arguments);
                _exit(99);
            }
        } else {
            CHECK(posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ) == 0);
        }
        CHECK(child > 0 && close(ends[1]) == 0);
        for (length = 0; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0; length += (size_t)n) {
        }
        text[length] = '\0';
        for (int i = 0; i < 3; i++) {
            unsigned long long set;
            const char *line = strstr(text, sets[i]);
            test_row = sets[i];
            CHECK(line != NULL && sscanf(line + strlen(sets[i]), "%llx", &set) == 1);
            CHECK_INT(0, (int64_t)(set & watched));
        }
        CHECK(posix_spawn_file_actions_destroy(&actions) == 0 && close(ends[0]) == 0);
        join(child);
    }
    close_watch(watch);
}
#endif

TEST(a_program_that_a_child_executes_dies_of_what_was_watched) {
    lipc_handle watch = watch_for(SIGTERM);
    char *arguments[] = {"sh", "-c", "kill -TERM $$; exit 99", NULL};
    pid_t child;
    CHECK(posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ) == 0);
    check_killed_by(SIGTERM, child);
    check_none(watch);
    close_watch(watch);
}
