/* Fault injection, see fault.h: messages with handles, credentials and pidfds. */
#include "fault.h"

/* A message with a handle waits to be received. */
static void with_handle_in_flight(void) {
    with_pair();
    lipc_handle file = numbered_file(7);
    CHECK_INT(5, send_handles(s.handles[1], "hello", 5, &file, 1, 0));
    CHECK_OK(lipc_close(file));
}

static void with_credentials(void) {
    with_pair();
    lipc_set_pass_credentials(s.handles[0], true); /* where the system has them */
    lipc_set_pass_pidfd(s.handles[0], true);
    lipc_handle file = numbered_file(7);
    CHECK_INT(5, send_handles(s.handles[1], "hello", 5, &file, 1, 0));
    CHECK_OK(lipc_close(file));
}

static void give_a_handle(const char *call) {
    lipc_handle file = STDERR_FILENO;
    if (begins_with(call, "poll"))
        CHECK_INT(1, send_handles(s.handles[1], "x", 1, &file, 1, 0));
}

/* The handle that is sent is only lent. Leaks show in the descriptors that are open. */
static int64_t do_send_message(void) {
    lipc_handle file = STDERR_FILENO;
    return send_handles(s.handles[0], out.data, sizeof out.data, &file, 1, WAIT);
}

static int64_t do_receive_message(void) {
    lipc_message message = {.size = sizeof message,
                            .buffers = buffers,
                            .buffer_count = 3,
                            .handles = out.handles,
                            .handle_capacity = 2};
    int64_t r = lipc_receive_message(s.handles[0], &message, WAIT);
    CHECK_INT(r < 0 ? 0 : 1, (int64_t)message.handle_count);
    return r;
}

/* Asks for all that a message can bring, also a pidfd. */
static int64_t do_receive_everything(void) {
    char room[LIPC_CONTROL_SIZE];
    lipc_control control = {room, sizeof room, 0, 0};
    lipc_handle pidfd;
    memset(&pidfd, UNTOUCHED, sizeof pidfd);
    lipc_message message = {.size = sizeof message,
                            .buffers = buffers,
                            .buffer_count = 3,
                            .handles = out.handles,
                            .handle_capacity = 2,
                            .credentials = &out.credentials,
                            .peer = &out.name,
                            .pidfd = &pidfd,
                            .control = &control};
    int64_t r = lipc_receive_message(s.handles[0], &message, WAIT);
    CHECK(r >= 0 || is_untouched(&pidfd, sizeof pidfd));
    if (r >= 0 && pidfd != LIPC_INVALID_HANDLE)
        CHECK_OK(lipc_close(pidfd));
    CHECK_INT(0, r < 0 ? (int64_t)control.length : 0);
    lipc_control_close(&control);
    return r;
}

static int64_t do_peer_pidfd(void) {
    int r = lipc_peer_pidfd(s.handles[0], &out.handles[0]);
    if (lipc_error_code(r) != LIPC_ENOTSUP)
        return r;
    return lipc_duplicate(s.handles[0], &out.handles[0]); /* something to close */
}

static int64_t do_pass(void) {
    int r = lipc_set_pass_credentials(s.handles[0], true);
    if (r >= 0 || lipc_error_code(r) == LIPC_ENOTSUP)
        r = lipc_set_pass_pidfd(s.handles[0], true);
    return lipc_error_code(r) == LIPC_ENOTSUP ? 0 : r;
}

static const operation operations[] = {
    {"hand over", with_full_pair, do_send_message, make_room, 0, 0},
    {"hand over at once", with_pair, do_send_message, NULL, 0, 0},
    {"take over", with_pair, do_receive_message, give_a_handle, 1, TAKES_MESSAGES},
    {"take over what is there", with_handle_in_flight, do_receive_message, NULL, 1, TAKES_MESSAGES},
    {"take over everything", with_credentials, do_receive_everything, NULL, 1, TAKES_MESSAGES},
    {"pass credentials", with_pair, do_pass, NULL, 0, 0},
    {"pidfd of the peer", with_pair, do_peer_pidfd, NULL, 1, 0},
};

TEST(every_call_may_fail_once_when_handles_travel) {
    for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
        kind = fixture_kinds[i].kind;
        FAIL_EVERY_CALL(operations, "hand take pass pidfd");
    }
}
