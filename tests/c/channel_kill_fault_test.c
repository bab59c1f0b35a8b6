/* A peer that is killed before its first system call, its second one, and so on: see csrc/sys.h. The other end receives
 * what was published, then the end, and keeps nothing. Between two system calls, only the header of a record counts: it
 * is one word, so a record is there or not, whenever its sender dies. */
#include "channel.h"

#include <sys/mman.h>

/* What the peer leaves to be read after its death. */
static struct left {
    int sent;  /* messages whose sending was complete */
    int calls; /* system calls */
    bool open; /* the handshake was complete */
} *left;

static int kill_at; /* the number of the call; 0: in the process that survives */

int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    (void)call;
    if (kill_at > 0 && ++left->calls == kill_at)
        raise(SIGKILL);
    return 0;
}

enum { MESSAGES = 12, LARGE = 9000 /* more than the ring has room for */ };

static size_t size_of(int i) {
    return i % 4 == 2 ? LARGE : (size_t)i * 40;
}

static int traces[MESSAGES];
static lipc_handle files[MESSAGES]; /* whose closing the traces show; none are sent if the first one is invalid */

static int64_t send_number(lipc_channel *channel, int i) {
    const bool with = files[0] != LIPC_INVALID_HANDLE;
    lipc_buffer buffer = {out_data, size_of(i)};
    lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1, .handles = &files[i], .handle_count = 1};
    fill_pattern(out_data, size_of(i), (unsigned)i);
    return with ? lipc_channel_send_message(channel, &m, WAIT)
                : lipc_channel_send(channel, out_data, size_of(i), WAIT);
}

static int64_t receive_number(lipc_channel *channel, int i) {
    const bool with = files[0] != LIPC_INVALID_HANDLE;
    lipc_handle file;
    lipc_buffer buffer = {in_data, sizeof in_data};
    lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1, .handles = &file, .handle_capacity = 1};
    int64_t n = lipc_channel_receive_message(channel, &m, WAIT);
    if (n < 0)
        return n;
    CHECK_INT(size_of(i), n);
    check_pattern(in_data, size_of(i), (unsigned)i);
    CHECK_INT(with, (int64_t)m.handle_count);
    if (with)
        CHECK_OK(lipc_close(file));
    return n;
}

/* ---------------------------------------- What both ends do ------------------------------------- */

static void send_all(lipc_channel *channel) {
    for (; left->sent < MESSAGES; left->sent++)
        CHECK_OK(send_number(channel, left->sent));
}

/* The survivor of send_all(). */
static void receive_what_was_sent(lipc_channel *channel) {
    int64_t r = 0;
    int got = 0;
    while ((r = receive_number(channel, got)) >= 0)
        got++;
    CHECK_ERROR(LIPC_EEND, r);
    CHECK_ERROR(LIPC_EEND, receive_number(channel, got));
    if (got < left->sent || got > left->sent + 1)
        FAIL("%d messages were sent, and %d arrived", left->sent, got);
}

static void receive_all(lipc_channel *channel) {
    for (int i = 0; i < MESSAGES; i++)
        CHECK_OK(receive_number(channel, i));
    CHECK_ERROR(LIPC_EEND, receive_number(channel, MESSAGES));
}

/* The survivor of receive_all(). */
static void send_what_is_taken(lipc_channel *channel) {
    int64_t r = 0;
    for (int i = 0; r >= 0 && i < MESSAGES; i++)
        r = send_number(channel, i);
    CHECK(r >= 0 || lipc_error_code(r) == LIPC_EPIPE);
    r = lipc_channel_shutdown(channel, LIPC_WRITE, WAIT);
    CHECK(r >= 0 || lipc_error_code(r) == LIPC_EPIPE);
    CHECK_ERROR(LIPC_EEND, lipc_channel_receive(channel, in_data, 1, WAIT));
}

static void ask(lipc_channel *channel) {
    for (; left->sent < MESSAGES; left->sent++) {
        CHECK_OK(send_number(channel, left->sent));
        CHECK_OK(receive_number(channel, left->sent));
    }
    CHECK_OK(lipc_channel_shutdown(channel, LIPC_READ, WAIT));
    CHECK_OK(lipc_channel_shutdown(channel, LIPC_WRITE, WAIT));
}

/* The survivor of ask(). */
static void answer(lipc_channel *channel) {
    int64_t r = 0;
    int got = 0;
    for (; r >= 0 && (r = receive_number(channel, got)) >= 0; got++) {
        r = send_number(channel, got);
        CHECK(r >= 0 || lipc_error_code(r) == LIPC_EPIPE);
    }
    CHECK(lipc_error_code(r) == LIPC_EEND || lipc_error_code(r) == LIPC_EPIPE);
    CHECK(got >= left->sent);
    while ((r = lipc_channel_receive(channel, in_data, sizeof in_data, WAIT)) >= 0) {
    }
    CHECK_ERROR(LIPC_EEND, r);
}

/* -------------------------------------------- Running ------------------------------------------- */

/* Checks that no memory of a channel is mapped, and that none has a name. */
static void check_no_memory(void) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r"); /* Linux */
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        CHECK(strstr(line, "lipc") == NULL || strstr(line, "memfd:") == NULL);
    if (maps != NULL)
        fclose(maps);
    DIR *names = opendir("/dev/shm");
    for (struct dirent *entry; names != NULL && (entry = readdir(names)) != NULL;)
        CHECK(strstr(entry->d_name, "lipc") == NULL);
    if (names != NULL)
        closedir(names);
}

/* Has a peer, killed before call number kill, and the survivor do their parts. Returns whether the peer was killed. */
static bool die(void (*part)(lipc_channel *), void (*survivor)(lipc_channel *), int accepting, int memory, int kill) {
    lipc_channel_options o = {.size = sizeof o, .memory = memory, .ring_size = 4096, .spin_us = -1};
    lipc_handle ends[2];
    const bool with = files[0] != LIPC_INVALID_HANDLE;
    test_open before;
    test_descriptors(&before);
    *left = (struct left){.sent = 0};
    for (int i = 0; with && i < MESSAGES; i++)
        files[i] = traced(&traces[i]);
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]));
    pid_t process = fork();
    CHECK(process >= 0);
    o.accepting = (process == 0) == (accepting != 0);
    CHECK_OK(lipc_close(ends[process == 0]));
    kill_at = process == 0 ? kill : 0;
    int r = lipc_channel_open(ends[process != 0], &o, WAIT, &a);
    if (process == 0) {
        CHECK_OK(r);
        left->open = true;
        part(a);
        lipc_channel_close(a);
        _exit(TEST_PASSED);
    }
    int status;
    if (r == 0)
        survivor(a);
    else
        CHECK((lipc_error_code(r) == LIPC_EEND || lipc_error_code(r) == LIPC_EPIPE) && !left->open);
    CHECK(waitpid(process, &status, 0) == process);
    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == TEST_PASSED);
    CHECK(WIFSIGNALED(status) || left->sent == MESSAGES || part == receive_all);
    if (r == 0)
        lipc_channel_close(a);
    else
        CHECK_OK(lipc_close(ends[1]));
    for (int i = 0; with && i < MESSAGES; i++)
        close_traced(files[i], traces[i]);
    test_same_descriptors(&before);
    check_no_memory();
    return WIFSIGNALED(status);
}

static void die_everywhere(void (*part)(lipc_channel *), void (*survivor)(lipc_channel *), bool with_files) {
    left = mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(left != MAP_FAILED);
    files[0] = with_files ? 0 : LIPC_INVALID_HANDLE;
    EACH_MEMORY(memory)
        for (int accepting = 0; accepting < 2; accepting++) {
            int kill = 1;
            for (bool killed = true; killed; kill++) {
                char row[100];
                snprintf(row, sizeof row, "%s, %s, call %d", word_for_memory(memory),
                         accepting ? "the accepting end" : "the connecting end", kill);
                test_row = row;
                killed = die(part, survivor, accepting, memory, kill);
                CHECK(kill < 1000);
            }
            CHECK(kill > 10);
        }
    CHECK(munmap(left, sizeof *left) == 0);
}

TEST(what_was_sent_before_a_kill_at_any_call_arrives_and_then_the_end) {
    die_everywhere(send_all, receive_what_was_sent, false);
}

TEST(a_sender_learns_of_a_receiver_that_is_killed_at_any_call) {
    die_everywhere(receive_all, send_what_is_taken, false);
}

TEST(an_exchange_ends_when_either_end_is_killed_at_any_call) {
    die_everywhere(ask, answer, false);
}

TEST(files_of_a_sender_that_is_killed_at_any_call_are_closed) {
    die_everywhere(send_all, receive_what_was_sent, true);
}

TEST(files_for_a_receiver_that_is_killed_at_any_call_are_closed) {
    die_everywhere(receive_all, send_what_is_taken, true);
}
