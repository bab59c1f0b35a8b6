/* Many signals: what is queued arrives, and what is lost is counted. */
#include "signals.h"

/* ------------------------------------------ Real-time ------------------------------------------- */

#ifdef QUEUES_SIGNALS

enum { SENDERS = 10, EACH = 10000 };

/* Queues the numbers from 0 as fast as the system takes them. */
static void queue_all(const void *unused) {
    (void)unused;
    for (int i = 0; i < EACH; i++) {
        int r;
        while (lipc_error_code(r = lipc_signal_queue(getppid(), lipc_signal_realtime(1), i)) == LIPC_EAGAIN)
            sched_yield();
        CHECK_OK(r);
    }
}

/* Takes what the senders queue, and checks that each comes once. */
static void take_all(lipc_handle watch, bool in_order) {
    static bool seen[SENDERS][EACH];
    pid_t senders[SENDERS];
    int next[SENDERS] = {0};
    for (int i = 0; i < SENDERS; i++)
        senders[i] = in_child(queue_all, NULL);
    for (int n = 0; n < SENDERS * EACH; n++) {
        lipc_signal_info info = take(watch);
        int i = 0;
        while (i < SENDERS && senders[i] != info.pid)
            i++;
        CHECK(i < SENDERS && info.value >= 0 && info.value < EACH);
        check_sent_by(&info, lipc_signal_realtime(1), SI_QUEUE, senders[i]);
        CHECK(!seen[i][info.value]);
        seen[i][info.value] = true;
        if (in_order)
            CHECK_INT(next[i], info.value);
        next[i]++;
    }
    check_none(watch);
    for (int i = 0; i < SENDERS; i++)
        join(senders[i]);
}

static const lipc_signal_options with_room_for_all = {.size = sizeof with_room_for_all, .queue_size = SENDERS * EACH};

TEST(each_of_many_queued_signals_arrives_once_and_in_order) {
    lipc_handle watch = watch_with(lipc_signal_realtime(1), &with_room_for_all);
    take_all(watch, true);
    close_watch(watch);
}

static void *stay_until_told(void *from) {
    char byte;
    CHECK(read(*(int *)from, &byte, 1) == 1);
    return NULL;
}

/* Runs take_all() beside threads that do nothing, with the signal blocked in them or not. */
static void take_all_beside_threads(bool blocked) {
    pthread_t threads[4];
    int ends[2];
    sigset_t set, was;
    lipc_handle watch = watch_with(lipc_signal_realtime(1), &with_room_for_all);
    CHECK(pipe(ends) == 0);
    sigemptyset(&set);
    if (blocked)
        sigaddset(&set, lipc_signal_realtime(1));
    CHECK(pthread_sigmask(SIG_BLOCK, &set, &was) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, stay_until_told, ends) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &was, NULL) == 0);
    take_all(watch, blocked);
    CHECK(write(ends[1], "....", 4) == 4);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    close_all((lipc_handle[]){ends[0], ends[1]}, 2);
    close_watch(watch);
}

TEST(queued_signals_that_several_threads_take_arrive_once) {
    take_all_beside_threads(false);
}

TEST(queued_signals_arrive_in_order_if_one_thread_takes_them) {
    take_all_beside_threads(true);
}

TEST(what_did_not_fit_is_counted_and_reported_with_the_next) {
    const lipc_signal_options options = {.size = sizeof options, .queue_size = 3}; /* which makes 4 */
    lipc_handle watch = watch_with(lipc_signal_realtime(0), &options);
    int sent = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 10; i++)
            CHECK_OK(lipc_signal_queue(getpid(), lipc_signal_realtime(0), sent++));
        for (int i = 0; i < 4; i++) {
            lipc_signal_info info = take(watch);
            CHECK_INT(round * 10 + i, info.value);
            CHECK_INT(i == 0 ? 6 : 0, (int64_t)info.dropped);
        }
        check_none(watch);
    }
    close_watch(watch);
}

TEST(what_is_lost_is_lost_to_one_watch_alone) {
    const lipc_signal_options options = {.size = sizeof options, .queue_size = 2};
    lipc_handle narrow = watch_with(lipc_signal_realtime(0), &options), wide = watch_for(lipc_signal_realtime(0));
    for (int i = 0; i < 1000; i++)
        CHECK_OK(lipc_signal_queue(getpid(), lipc_signal_realtime(0), i));
    for (int i = 0; i < 1000; i++) {
        lipc_signal_info info = take(wide);
        CHECK_INT(i, info.value);
        CHECK_INT(0, (int64_t)info.dropped);
    }
    CHECK_INT(998, (int64_t)take(narrow).dropped);
    CHECK_INT(0, (int64_t)take(narrow).dropped);
    check_none(narrow);
    close_watch(narrow);
    close_watch(wide);
}

#endif

/* ------------------------------------------ Ordinary -------------------------------------------- */

enum { BURSTS = 100, BURST = 50, KILLERS = 4 };

typedef struct killer {
    int order[2], done[2];
    pid_t process;
} killer;

/* Sends a burst whenever it is told to. */
static void send_bursts(const void *argument) {
    const killer *k = argument;
    char byte;
    close(k->order[1]);
    while (read(k->order[0], &byte, 1) == 1) {
        for (int i = 0; i < BURST; i++)
            CHECK_OK(lipc_signal_send(getppid(), SIGUSR1));
        CHECK(write(k->done[1], "", 1) == 1);
    }
}

TEST(at_least_one_of_each_burst_arrives_with_its_sender) {
    lipc_handle watch = watch_for(SIGUSR1);
    killer killers[KILLERS];
    char byte;
    for (int i = 0; i < KILLERS; i++) {
        CHECK(pipe(killers[i].order) == 0 && pipe(killers[i].done) == 0);
        killers[i].process = in_child(send_bursts, &killers[i]);
        CHECK(close(killers[i].order[0]) == 0);
    }
    for (int n = 0; n < BURSTS; n++) {
        killer *k = &killers[n % KILLERS];
        CHECK(write(k->order[1], "", 1) == 1 && read(k->done[0], &byte, 1) == 1);
        lipc_signal_info info = {.size = sizeof info};
        int count = 0;
        for (; lipc_signal_next(watch, 0, &info) >= 0; count++)
            check_sent_by(&info, SIGUSR1, SI_USER, k->process);
        CHECK(count >= 1 && count <= BURST);
    }
    for (int i = KILLERS - 1; i >= 0; i--) { /* the later ones have the orders of those before */
        CHECK(close(killers[i].order[1]) == 0);
        join(killers[i].process);
        close_all((lipc_handle[]){killers[i].done[0], killers[i].done[1]}, 2);
    }
    close_watch(watch);
}
