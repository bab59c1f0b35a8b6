/* The death of a peer, in processes of their own. What was published arrives, then the end, and nothing hangs. */
#include "channel.h"

static int memory;
static lipc_handle ends[2];

static lipc_channel *open_end(int accepting) {
    lipc_channel_options o = {.size = sizeof o, .accepting = accepting, .memory = memory, .ring_size = 65536};
    lipc_channel *channel = NULL;
    CHECK_OK(lipc_channel_open(ends[accepting], &o, WAIT, &channel));
    lipc_close(ends[!accepting]);
    return channel;
}

/* Runs body with one end in another process, and opens the other end here. */
static pid_t start_peer(void (*body)(lipc_channel *)) {
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        body(open_end(1));
        stay();
    }
    a = open_end(0);
    return process;
}

static void end_peer(pid_t process) {
    kill_hard(process);
    lipc_channel_close(a);
}

static void send_some_and_die(lipc_channel *channel) {
    for (int i = 0; i < 100; i++)
        CHECK_INT(sizeof i, lipc_channel_send(channel, &i, sizeof i, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_send(channel, out_data, sizeof out_data, 0)); /* and a part of one */
    raise(SIGKILL);
}

TEST(what_a_process_sent_before_it_was_killed_arrives_and_then_the_end) {
    EACH_MEMORY(m) {
        memory = m;
        pid_t process = start_peer(send_some_and_die);
        int status, got = 0;
        CHECK(waitpid(process, &status, 0) == process && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        for (int i = 0; i < 100; i++) {
            CHECK_INT(sizeof got, lipc_channel_receive(a, &got, sizeof got, WAIT));
            CHECK_INT(i, got);
        }
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(a, in_data, sizeof in_data, WAIT));
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(a, in_data, sizeof in_data, 0));
        lipc_channel_close(a);
    }
}

static void do_nothing(lipc_channel *channel) {
    CHECK_INT(1, lipc_channel_send(channel, "", 1, WAIT));
}

static void *kill_later(void *process) {
    struct pollfd p = {.fd = (int)lipc_channel_handle(a, LIPC_READ), .events = POLLHUP};
    poll(&p, 1, 20); /* so that the other thread is probably waiting; it must not matter */
    CHECK(kill(*(pid_t *)process, SIGKILL) == 0);
    return NULL;
}

TEST(a_receiver_that_waits_is_woken_by_the_death_of_its_peer) {
    EACH_MEMORY(m) {
        memory = m;
        pid_t process = start_peer(do_nothing);
        CHECK_INT(1, lipc_channel_receive(a, in_data, 1, WAIT));
        pthread_t killer;
        CHECK(pthread_create(&killer, NULL, kill_later, &process) == 0);
        CHECK_ERROR(LIPC_EEND, lipc_channel_receive(a, in_data, 1, WAIT));
        CHECK(pthread_join(killer, NULL) == 0);
        CHECK(waitpid(process, NULL, 0) == process);
        lipc_channel_close(a);
    }
}

TEST(a_sender_that_waits_for_room_is_woken_by_the_death_of_its_peer) {
    EACH_MEMORY(m) {
        memory = m;
        pid_t process = start_peer(do_nothing);
        CHECK_INT(1, lipc_channel_receive(a, in_data, 1, WAIT));
        pthread_t killer;
        CHECK(pthread_create(&killer, NULL, kill_later, &process) == 0);
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(a, out_data, sizeof out_data, WAIT));
        CHECK_ERROR(LIPC_EPIPE, lipc_channel_send(a, out_data, sizeof out_data, WAIT));
        CHECK(pthread_join(killer, NULL) == 0);
        CHECK(waitpid(process, NULL, 0) == process);
        lipc_channel_close(a);
    }
}

TEST(a_caller_that_only_polls_learns_of_the_death_too) {
    EACH_MEMORY(m) {
        memory = m;
        pid_t process = start_peer(do_nothing);
        CHECK_INT(1, lipc_channel_receive(a, in_data, 1, WAIT));
        kill_hard(process);
        int64_t r = 0;
        for (int i = 0; i <= 2 * 256; i++) { /* the first look may find a bell that came late */
            r = lipc_channel_receive(a, in_data, 1, 0);
            if (lipc_error_code(r) != LIPC_EAGAIN)
                break;
        }
        CHECK_ERROR(LIPC_EEND, r);
        lipc_channel_close(a);
    }
}

static void echo(lipc_channel *channel) {
    char *data = malloc(1 << 20);
    int64_t n;
    while ((n = lipc_channel_receive(channel, data, 1 << 20, -1)) >= 0)
        CHECK_INT(n, lipc_channel_send(channel, data, (size_t)n, -1));
    free(data);
}

TEST(processes_that_sleep_wake_one_another) {
    EACH_MEMORY(m) {
        memory = m;
        pid_t process = start_peer(echo);
        for (unsigned i = 0; i < 2000; i++) {
            size_t size = i % 100 == 0 ? 300000 : i % 3000;
            fill_pattern(out_data, size, i);
            CHECK_INT(size, lipc_channel_send(a, out_data, size, WAIT));
            if (i % 200 == 0)
                usleep(2000); /* longer than anybody spins */
            CHECK_INT(size, lipc_channel_receive(a, in_data, sizeof in_data, WAIT));
            check_pattern(in_data, size, i);
        }
        end_peer(process);
    }
}

/* The time that this process has used, in microseconds. */
static int64_t processor_time(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

TEST(a_channel_that_waits_uses_no_processor) {
    EACH_MEMORY(m) {
        memory = m;
        pid_t process = start_peer(echo);
        int64_t before = processor_time();
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_receive(a, in_data, 1, 500));
        CHECK(processor_time() - before < 5000);
        end_peer(process);
    }
}

static void use_in_child(lipc_channel *channel) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) { /* it has the handles, but not the memory */
        close((int)lipc_channel_handle(channel, LIPC_READ));
        close((int)lipc_channel_handle(channel, LIPC_WRITE));
        _exit(0);
    }
    join(child);
    CHECK_INT(4, lipc_channel_send(channel, "mine", 4, WAIT));
}

TEST(a_child_process_does_not_disturb_its_parents_channel) {
    EACH_MEMORY(m) {
        memory = m;
        pid_t process = start_peer(use_in_child);
        CHECK_INT(4, lipc_channel_receive(a, in_data, 10, WAIT));
        end_peer(process);
    }
}
