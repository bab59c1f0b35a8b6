/* Sending signals: to processes, groups, pidfds and threads. */
#include "signals.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif

TEST(real_time_signals_have_numbers) {
#ifdef QUEUES_SIGNALS
    CHECK_INT(SIGRTMIN, lipc_signal_realtime(0));
    CHECK_INT(SIGRTMAX, lipc_signal_realtime(SIGRTMAX - SIGRTMIN));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_realtime(SIGRTMAX - SIGRTMIN + 1));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_realtime(-1));
#else
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_realtime(0));
#endif
}

static void do_nothing(const void *unused) {
    (void)unused;
}

TEST(sending_fails_with_the_reason) {
    pid_t gone = in_child(do_nothing, NULL);
    join(gone);
    CHECK_ERROR(LIPC_ENOENT, lipc_signal_send(gone, SIGUSR1));
    CHECK_ERROR(LIPC_ENOENT, lipc_signal_send(gone, 0));
    CHECK_ERROR(LIPC_ENOENT, lipc_signal_send_group(gone, SIGUSR1));
    const int64_t several[] = {0, -1, -5, (int64_t)1 << 31, (int64_t)1 << 32};
    for (size_t i = 0; i < sizeof several / sizeof *several; i++) {
        CHECK_ERROR(LIPC_EINVAL, lipc_signal_send(several[i], SIGUSR1));
        CHECK_ERROR(LIPC_EINVAL, lipc_signal_queue(several[i], SIGUSR1, 0));
    }
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send_group(1, SIGUSR1));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send_group(-1, SIGUSR1));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send(getpid(), 1000));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send(getpid(), -1));
    CHECK_OK(lipc_signal_send(getpid(), 0));
#ifdef QUEUES_SIGNALS
    CHECK_ERROR(LIPC_ENOENT, lipc_signal_queue(gone, SIGUSR1, 0));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_queue(getpid(), 1000, 0));
#endif
}

static void send_as_nobody(const void *unused) {
    (void)unused;
    become(NOBODY, NOBODY, 0);
    CHECK_ERROR(LIPC_EACCES, lipc_signal_send(getppid(), SIGTERM));
#ifdef QUEUES_SIGNALS
    CHECK_ERROR(LIPC_EACCES, lipc_signal_queue(getppid(), SIGTERM, 1));
#endif
}

TEST(another_users_process_cannot_be_sent_a_signal) {
    NEEDS_ROOT();
    join(in_child(send_as_nobody, NULL));
}

static void be_in_a_group(const void *unused) {
    (void)unused;
    CHECK(setpgid(0, 0) == 0);
    ready();
    stay();
}

TEST(a_group_gets_a_signal) {
    pid_t child = start(be_in_a_group, NULL);
    CHECK_OK(lipc_signal_send_group(child, SIGUSR1));
    check_killed_by(SIGUSR1, child);
    lipc_handle watch = watch_for(SIGUSR2); /* this test is a group of its own */
    CHECK_OK(lipc_signal_send_group(0, SIGUSR2));
    lipc_signal_info info = take(watch);
    check_sent_by(&info, SIGUSR2, SI_USER, getpid());
    close_watch(watch);
}

#ifdef SENDS_TO_THREADS

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

TEST(the_process_of_a_pidfd_gets_a_signal) {
    lipc_handle watch = watch_for(SIGUSR1);
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    CHECK(pidfd >= 0);
    CHECK_OK(lipc_signal_send_pidfd(pidfd, 0));
    CHECK_OK(lipc_signal_send_pidfd(pidfd, SIGUSR1));
    lipc_signal_info info = take(watch);
    check_sent_by(&info, SIGUSR1, SI_USER, getpid());
    CHECK_OK(lipc_signal_queue_pidfd(pidfd, SIGUSR1, -5));
    info = take(watch);
    check_sent_by(&info, SIGUSR1, SI_QUEUE, getpid());
    CHECK_INT(-5, info.value);
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send_pidfd(pidfd, 1000));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_send_pidfd(STDERR_FILENO, SIGUSR1));
    CHECK_ERROR(LIPC_EBADF, lipc_signal_queue_pidfd(-1, SIGUSR1, 0));
    CHECK(close(pidfd) == 0);
    pid_t child = in_child(do_nothing, NULL);
    pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    CHECK(pidfd >= 0);
    join(child);
    CHECK_ERROR(LIPC_ENOENT, lipc_signal_send_pidfd(pidfd, SIGUSR1));
    CHECK(close(pidfd) == 0);
    close_watch(watch);
}

static int64_t other_thread;

static void *have_a_thread(void *ends) {
    char byte;
    __atomic_store_n(&other_thread, syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    CHECK(write(((int *)ends)[1], "", 1) == 1 && read(((int *)ends)[2], &byte, 1) == 1);
    return NULL;
}

TEST(a_thread_gets_a_signal) {
    int ends[4];
    char byte;
    pthread_t thread;
    lipc_handle watch = watch_for(SIGUSR1);
    CHECK(pipe(ends) == 0 && pipe(ends + 2) == 0);
    CHECK(pthread_create(&thread, NULL, have_a_thread, ends) == 0);
    CHECK(read(ends[0], &byte, 1) == 1);
    CHECK_OK(lipc_signal_send_thread(getpid(), other_thread, SIGUSR1));
    lipc_signal_info info = take(watch);
    check_sent_by(&info, SIGUSR1, SI_TKILL, getpid());
    CHECK_OK(lipc_signal_queue_thread(getpid(), other_thread, SIGUSR1, 9));
    info = take(watch);
    check_sent_by(&info, SIGUSR1, SI_QUEUE, getpid());
    CHECK_INT(9, info.value);
    CHECK(write(ends[3], "", 1) == 1 && pthread_join(thread, NULL) == 0);
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_send_thread(getpid(), 0, SIGUSR1));
    CHECK_ERROR(LIPC_EINVAL, lipc_signal_queue_thread(0, getpid(), SIGUSR1, 0));
    pid_t gone = in_child(do_nothing, NULL);
    join(gone);
    CHECK_ERROR(LIPC_ENOENT, lipc_signal_send_thread(gone, gone, SIGUSR1));
    CHECK_ERROR(LIPC_ENOENT, lipc_signal_queue_thread(getpid(), gone, SIGUSR1, 0));
    for (int i = 0; i < 4; i++)
        CHECK(close(ends[i]) == 0);
    close_watch(watch);
}

#else

TEST(only_linux_sends_to_pidfds_and_threads) {
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_send_pidfd(0, SIGUSR1));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_queue_pidfd(0, SIGUSR1, 0));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_send_thread(getpid(), getpid(), SIGUSR1));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_signal_queue_thread(getpid(), getpid(), SIGUSR1, 0));
}

#endif
