/* Messages with handles that cannot be sent or received: the error says why, and nothing is sent or changed. */
#include "fixture.h"

static char sent[4096], got[16];
static lipc_handle out[1], in[9];

/* The end must not look like a message, whatever is asked for besides the payload. */
TEST(the_end_differs_from_an_empty_message) {
    for (int row = 0; row < 32; row++)
        for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
            lipc_handle a = fixture_pair(i, 0), b = fixture_pair(i, 1);
            char room[LIPC_CONTROL_SIZE];
            lipc_credentials credentials;
            lipc_handle pidfd;
            lipc_control control = {room, sizeof room, 0, 0};
            lipc_message message = {.size = sizeof message,
                                    .buffers = &(lipc_buffer){got, 16},
                                    .buffer_count = 1,
                                    .handles = row & 1 ? in : NULL,
                                    .handle_capacity = row & 1 ? 3 : 0,
                                    .credentials = row & 2 ? &credentials : NULL,
                                    .pidfd = row & 4 ? &pidfd : NULL,
                                    .control = row & 8 ? &control : NULL};
            int r = row & 16 ? lipc_set_pass_credentials(b, true) : 0;
            if (lipc_error_code(r) != LIPC_ENOTSUP)
                CHECK_OK(r);
            if (row & 16 && lipc_error_code(lipc_set_pass_pidfd(b, true)) != LIPC_ENOTSUP)
                message.length = 7;
            memset(in, UNTOUCHED, sizeof in);
            memset(&credentials, UNTOUCHED, sizeof credentials);
            if (fixture_kinds[i].kind != LIPC_DATAGRAM) {
                CHECK_OK(lipc_close(a));
                for (int again = 0; again < 2; again++)
                    CHECK_ERROR(LIPC_EEND, lipc_receive_message(b, &message, again ? 0 : WAIT));
                CHECK(is_untouched(in, sizeof in) && is_untouched(&credentials, sizeof credentials));
                CHECK_OK(lipc_close(b));
            } else {
#ifdef __linux__ /* elsewhere that is no end */
                CHECK_INT(0, lipc_send(a, NULL, 0, WAIT));
                CHECK_OK(lipc_shutdown(b, LIPC_READ));
                message.handles = NULL; /* the empty message has one */
                message.handle_capacity = 0;
                message.pidfd = NULL;
                CHECK_INT(0, lipc_receive_message(b, &message, WAIT));
                if (row & 8)
                    lipc_control_close(&control);
                for (int again = 0; again < 2; again++)
                    CHECK_ERROR(LIPC_EEND, lipc_receive_message(b, &message, WAIT));
#endif
                close_all((lipc_handle[]){a, b}, 2);
            }
        }
}

TEST(more_buffers_than_systems_take_are_too_large) {
    static lipc_buffer buffers[1025];
    EACH_PAIR(kind, a, b) {
        lipc_message message = {.size = sizeof message, .buffers = buffers, .buffer_count = 1025};
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_send_message(a, &message, WAIT));
        CHECK_INT(1, lipc_send_message(a, &(lipc_message){.size = sizeof message,
                                                          .buffers = &(lipc_buffer){sent, 1},
                                                          .buffer_count = 1}, WAIT));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_receive_message(b, &message, WAIT));
        size_t none = 0;
        CHECK_INT(1, receive_handles(b, got, 1, NULL, &none, 0)); /* it is still there */
    }
}

TEST(a_message_says_its_size_as_options_do) {
    struct {
        lipc_message message;
        size_t more;
    } larger;
    lipc_buffer buffer = {sent, 1};
    memset(&larger, 0, sizeof larger);
    larger.message = (lipc_message){.size = sizeof larger, .buffers = &buffer, .buffer_count = 1};
    EACH_PAIR(kind, a, b) {
        static const size_t small[] = {0, 1, sizeof(size_t) - 1, sizeof(size_t), sizeof(lipc_message) - 1};
        for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
            lipc_message message = {.size = small[i]};
            CHECK_ERROR(LIPC_EINVAL, lipc_send_message(a, &message, WAIT));
            CHECK_ERROR(LIPC_EINVAL, lipc_receive_message(b, &message, WAIT));
        }
        CHECK_ERROR(LIPC_EINVAL, lipc_send_message(a, NULL, WAIT));
        CHECK_ERROR(LIPC_EINVAL, lipc_receive_message(b, NULL, WAIT));
        larger.more = 1;
        CHECK_ERROR(LIPC_ENOTSUP, lipc_send_message(a, &larger.message, WAIT));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_receive_message(b, &larger.message, WAIT));
        larger.more = 0;
        CHECK_INT(1, lipc_send_message(a, &larger.message, WAIT));
        CHECK_INT(1, lipc_receive_message(b, &larger.message, WAIT));
    }
}

TEST(what_failed_left_the_message_as_it_was) {
    lipc_handle a, b, unconnected;
    CHECK_OK(lipc_datagram(&unconnected));
    int file = open("/dev/null", O_RDWR), plain = plain_socket(SOCK_STREAM, NULL, -1);
    CHECK_OK(lipc_pair(LIPC_STREAM, &a, &b));
    const struct {
        const char *name;
        lipc_handle handle;
        int sending, receiving;
    } rows[] = {
        {"no handle", LIPC_INVALID_HANDLE, LIPC_EBADF, LIPC_EBADF},
        {"closed", 1 << 20, LIPC_EBADF, LIPC_EBADF},
        {"a file", file, LIPC_ENOTSOCK, LIPC_ENOTSOCK},
        {"a stream without a peer", plain, LIPC_ENOTCONN, LIPC_ENOTCONN},
        {"a datagram socket without a peer", unconnected, LIPC_ENOTCONN, LIPC_EAGAIN},
        {"nothing there", b, 0, LIPC_EAGAIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        char room[LIPC_CONTROL_SIZE];
        lipc_credentials credentials;
        lipc_name name;
        lipc_handle pidfd;
        memset(in, UNTOUCHED, sizeof in);
        memset(&credentials, UNTOUCHED, sizeof credentials);
        memset(&name, UNTOUCHED, sizeof name);
        memset(&pidfd, UNTOUCHED, sizeof pidfd);
        lipc_control control = {room, sizeof room, 0, 0};
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){got, 16},
                                .buffer_count = 1,
                                .handles = in,
                                .handle_capacity = 9,
                                .credentials = &credentials,
                                .peer = &name,
                                .pidfd = &pidfd,
                                .control = &control,
                                .length = 77},
                     before = message;
        CHECK_ERROR(rows[i].receiving, lipc_receive_message(rows[i].handle, &message, 0));
        CHECK(memcmp(&before, &message, sizeof message) == 0);
        CHECK(is_untouched(in, sizeof in) && is_untouched(&credentials, sizeof credentials));
        CHECK(is_untouched(&name, sizeof name) && is_untouched(&pidfd, sizeof pidfd));
        out[0] = STDERR_FILENO;
        if (rows[i].sending != 0)
            CHECK_ERROR(rows[i].sending, send_handles(rows[i].handle, "x", 1, out, 1, 0));
    }
    close_all((lipc_handle[]){a, b, unconnected, file, plain}, 5);
}

TEST(a_handle_that_is_not_open_cannot_be_lent) {
    EACH_PAIR(kind, a, b) {
        const lipc_handle wrong[][2] = {{-1, STDERR_FILENO}, {STDERR_FILENO, 1 << 20}};
        size_t none = 0;
        for (size_t i = 0; i < 2; i++)
            CHECK_ERROR(LIPC_EBADF, send_handles(a, "x", 1, wrong[i], 2, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, receive_handles(b, got, 16, NULL, &none, 0));
    }
}

TEST(a_full_connection_takes_no_handle) {
    EACH_PAIR(kind, a, b) {
        int trace = -1, messages = 0;
        int64_t r;
        out[0] = traced(&trace);
        while ((r = lipc_send_message(a, &(lipc_message){.size = sizeof(lipc_message),
                                                         .buffers = &(lipc_buffer){sent, 4096},
                                                         .buffer_count = 1}, 0)) > 0)
            messages++;
        CHECK_ERROR(LIPC_EAGAIN, r);
        CHECK(messages > 0);
        CHECK_ERROR(LIPC_EAGAIN, send_handles(a, sent, 4096, out, 1, 0));
        CHECK_ERROR(LIPC_ETIMEDOUT, send_handles(a, sent, 4096, out, 1, 5));
        close_traced(out[0], trace);
    }
}

TEST(a_peer_that_is_gone_takes_no_handle) {
    for (size_t i = 0; i < sizeof fixture_kinds / sizeof *fixture_kinds; i++) {
        lipc_handle a = fixture_pair(i, 0), b = fixture_pair(i, 1);
        CHECK_OK(lipc_close(b));
        int trace = -1;
        out[0] = traced(&trace);
        int r = (int)send_handles(a, "x", 1, out, 1, WAIT); /* SIGPIPE would kill the test */
        CHECK_ERROR(fixture_kinds[i].kind == LIPC_DATAGRAM ? LIPC_ECONNREFUSED : LIPC_EPIPE, r);
        close_traced(out[0], trace);
        CHECK_OK(lipc_close(a));
    }
}
