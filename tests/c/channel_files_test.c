/* Open files and credentials that travel with the messages of channels. */
#include "channel.h"

static int64_t send_files(lipc_channel *channel, size_t size, const lipc_handle *handles, size_t count,
                          int timeout_ms) {
    lipc_buffer buffer = {out_data, size};
    lipc_message m = {.size = sizeof m,
                      .buffers = &buffer,
                      .buffer_count = 1,
                      .handles = (lipc_handle *)(uintptr_t)handles,
                      .handle_count = count};
    return lipc_channel_send_message(channel, &m, timeout_ms);
}

static int64_t receive_files(lipc_channel *channel, lipc_handle *handles, size_t *count, int timeout_ms) {
    lipc_buffer buffer = {in_data, sizeof in_data};
    lipc_message m = {.size = sizeof m,
                      .buffers = &buffer,
                      .buffer_count = 1,
                      .handles = handles,
                      .handle_capacity = *count};
    int64_t n = lipc_channel_receive_message(channel, &m, timeout_ms);
    if (n >= 0)
        *count = m.handle_count;
    return n;
}

TEST(files_arrive_with_their_message_and_in_order) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        for (int i = 0; i < 30; i++) {
            lipc_handle file = numbered_file(i), got[2];
            size_t count = 2;
            CHECK_INT(3, lipc_channel_send(a, "one", 3, WAIT)); /* before it, and after it */
            CHECK_INT(i, send_files(a, (size_t)i, &file, 1, WAIT));
            CHECK_INT(5, lipc_channel_send(a, "three", 5, WAIT));
            CHECK_OK(lipc_close(file));
            CHECK_INT(3, receive_files(b, got, &count, WAIT));
            CHECK_INT(0, (int64_t)count);
            count = 2;
            CHECK_INT(i, receive_files(b, got, &count, WAIT));
            CHECK_INT(1, (int64_t)count);
            check_number(got[0], i);
            CHECK_OK(lipc_close(got[0]));
            CHECK_INT(5, lipc_channel_receive(b, in_data, 10, WAIT));
        }
        close_pair();
    }
}

TEST(as_many_files_as_a_message_can_carry_arrive) {
    EACH_MEMORY(memory) {
        allow_descriptors();
        pair_of(&(lipc_channel_options){.memory = memory, .max_handles = LIPC_MESSAGE_HANDLES});
        CHECK_INT(LIPC_MESSAGE_HANDLES, lipc_channel_handle_limit(a));
        lipc_handle files[MOST_HANDLES + 1], got[MOST_HANDLES];
        size_t count = MOST_HANDLES;
        for (int i = 0; i < MOST_HANDLES + 1; i++)
            files[i] = i % 50 == 0 ? numbered_file(i) : STDERR_FILENO;
        CHECK_INT(1, send_files(a, 1, files, MOST_HANDLES, WAIT));
        CHECK_INT(1, receive_files(b, got, &count, WAIT));
        CHECK_INT(MOST_HANDLES, (int64_t)count);
        for (int i = 0; i < MOST_HANDLES; i += 50)
            check_number(got[i], i);
        close_all(got, MOST_HANDLES);
        for (int i = 0; i < MOST_HANDLES + 1; i++)
            if (files[i] != STDERR_FILENO)
                CHECK_OK(lipc_close(files[i]));
        if (MOST_HANDLES == (int)LIPC_MESSAGE_HANDLES)
            CHECK_ERROR(LIPC_ETOOMANY, send_files(a, 1, files, MOST_HANDLES + 1, WAIT));
        close_pair();
    }
}

TEST(more_files_than_the_receiver_takes_are_refused) {
    static const struct {
        int32_t option, most;
    } cases[] = {{-1, 0}, {0, LIPC_CHANNEL_HANDLES_DEFAULT}, {3, 3}};
    EACH_MEMORY(memory) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            lipc_handle files[20], got[20];
            const size_t most = (size_t)cases[i].most;
            size_t count = most;
            for (int j = 0; j < 20; j++)
                files[j] = STDERR_FILENO;
            pair_of(&(lipc_channel_options){.memory = memory, .max_handles = cases[i].option});
            CHECK_INT(most, lipc_channel_handle_limit(a));
            CHECK_ERROR(LIPC_ETOOMANY, send_files(a, 1, files, most + 1, WAIT));
            CHECK_INT(2, send_files(a, 2, files, most, WAIT));
            CHECK_INT(2, receive_files(b, got, &count, WAIT));
            CHECK_INT(most, (int64_t)count);
            close_all(got, most);
            close_pair();
        }
    }
}

TEST(files_that_nobody_takes_are_closed) {
    EACH_MEMORY(memory) {
        int traces[5];
        pair_of(&(lipc_channel_options){.memory = memory});
        for (int i = 0; i < 5; i++) {
            lipc_handle file = traced(&traces[i]);
            CHECK_INT(100000, send_files(a, 100000, &file, 1, WAIT));
            CHECK_OK(lipc_close(file));
            const void *data;
            size_t count = 0;
            switch (i) {
            case 0: CHECK_INT(100000, lipc_channel_receive(b, in_data, sizeof in_data, WAIT)); break;
            case 1: CHECK_INT(100000, receive_files(b, NULL, &count, WAIT)); break;
            case 2: CHECK_ERROR(LIPC_ETRUNCATED, lipc_channel_receive(b, in_data, 9, WAIT)); break;
            case 3:
                CHECK_INT(100000, lipc_channel_next(b, WAIT, &data));
                lipc_channel_release(b);
                break;
            default: close_pair(); /* it is still on its way */
            }
            check_gone(traces[i]);
        }
    }
}

TEST(files_wait_for_those_before_also_after_a_message_that_was_given_up) {
    pair_of(&(lipc_channel_options){.ring_size = 4096});
    if (lipc_channel_shared(a)) {
        lipc_handle file = numbered_file(1), got[1];
        size_t count = 1;
        CHECK_INT(1, send_files(a, 1, &file, 1, WAIT));
        CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_send(a, out_data, 100000, 5));
        CHECK_ERROR(LIPC_EAGAIN, send_files(a, 0, &file, 1, 0)); /* there is room for it */
        CHECK_INT(1, receive_files(b, got, &count, WAIT));
        CHECK_OK(lipc_close(got[0]));
        CHECK_INT(0, send_files(a, 0, &file, 1, 0));
        CHECK_INT(0, receive_files(b, got, &count, WAIT));
        check_number(got[0], 1);
        CHECK_OK(lipc_close(got[0]));
        CHECK_OK(lipc_close(file));
    }
    close_pair();
}

TEST(too_little_room_for_files_is_an_error_and_closes_them) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        int traces[2];
        lipc_handle files[2] = {traced(&traces[0]), traced(&traces[1])}, got[1];
        size_t count = 1;
        CHECK_INT(1, send_files(a, 1, files, 2, WAIT));
        CHECK_ERROR(LIPC_EHANDLES, receive_files(b, got, &count, WAIT));
        close_traced(files[0], traces[0]);
        close_traced(files[1], traces[1]);
        CHECK_INT(2, lipc_channel_send(a, "on", 2, WAIT));
        CHECK_INT(2, lipc_channel_receive(b, in_data, 2, WAIT));
        close_pair();
    }
}

TEST(a_process_that_may_open_no_more_files_loses_them_and_gets_the_message) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        lipc_handle file = STDERR_FILENO, got[1];
        size_t count = 1;
        CHECK_INT(1, send_files(a, 1, &file, 1, WAIT));
        struct rlimit limit = forbid_descriptors();
        CHECK_ERROR(LIPC_EHANDLES, receive_files(b, got, &count, WAIT));
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK_INT(1, send_files(a, 1, &file, 1, WAIT));
        CHECK_INT(1, receive_files(b, got, &count, WAIT));
        CHECK_OK(lipc_close(got[0]));
        close_pair();
    }
}

MEMORY_TEST(the_files_of_one_message_are_taken_before_those_of_the_next_are_sent) {
    pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_REQUIRE});
    lipc_handle file = STDERR_FILENO, got[1];
    size_t count = 1;
    CHECK_INT(1, send_files(a, 1, &file, 1, 0));
    CHECK_ERROR(LIPC_EAGAIN, send_files(a, 1, &file, 1, 0));
    CHECK_ERROR(LIPC_ETIMEDOUT, send_files(a, 1, &file, 1, 5));
    CHECK_INT(4, lipc_channel_send(a, "free", 4, 0)); /* without files it goes on */
    CHECK_INT(1, receive_files(b, got, &count, 0));
    CHECK_OK(lipc_close(got[0]));
    CHECK_INT(1, send_files(a, 1, &file, 1, 0));
    CHECK_INT(4, lipc_channel_receive(b, in_data, 10, 0));
    count = 1;
    CHECK_INT(1, receive_files(b, got, &count, 0));
    CHECK_OK(lipc_close(got[0]));
    close_pair();
}

TEST(a_handle_that_is_not_open_sends_nothing) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        lipc_handle bad = 999;
        CHECK_ERROR(LIPC_EBADF, send_files(a, 1, &bad, 1, WAIT));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(b, in_data, 1, 0));
        check_message(10);
        close_pair();
    }
}

TEST(a_large_message_with_files_is_not_copied_again_for_each_attempt) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        const size_t size = 1 << 20;
        lipc_handle file = numbered_file(4), got[1];
        int64_t sent = -1, received = -1;
        size_t count = 0;
        fill_pattern(out_data, size, 4);
        for (int i = 0; received < 0; i++) {
            if (sent < 0)
                sent = send_files(a, size, &file, 1, 0);
            count = 1;
            received = receive_files(b, got, &count, 0);
            if (received >= 0)
                break;
            CHECK_ERROR(LIPC_EAGAIN, received);
            CHECK(i < 2 || in_data[0] == 'L'); /* what was kept is copied at the end */
            in_data[0] = 'L';
        }
        CHECK_INT(size, received);
        check_pattern(in_data, size, 4);
        CHECK_INT(1, (int64_t)count);
        check_number(got[0], 4);
        close_all((lipc_handle[]){file, got[0]}, 2);
        close_pair();
    }
}

static void *send_large_files(void *unused) {
    (void)unused;
    for (int i = 0; i < 50; i++) {
        lipc_handle file = numbered_file(i);
        CHECK_INT(i * 3000, send_files(a, (size_t)i * 3000, &file, 1, WAIT));
        CHECK_OK(lipc_close(file));
    }
    return NULL;
}

TEST(large_messages_with_files_keep_their_files) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        pthread_t sender;
        CHECK(pthread_create(&sender, NULL, send_large_files, NULL) == 0);
        for (int i = 0; i < 50; i++) {
            lipc_handle got[1];
            size_t count = 1;
            CHECK_INT(i * 3000, receive_files(b, got, &count, WAIT));
            CHECK_INT(1, (int64_t)count);
            check_number(got[0], i);
            CHECK_OK(lipc_close(got[0]));
        }
        CHECK(pthread_join(sender, NULL) == 0);
        close_pair();
    }
}

TEST(a_message_with_files_that_was_given_up_takes_them_along) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
        int trace;
        lipc_handle file = traced(&trace), next = numbered_file(7), got[1];
        size_t count = 1;
        CHECK_ERROR(LIPC_ETIMEDOUT, send_files(a, sizeof out_data, &file, 1, 5));
        CHECK_ERROR(LIPC_EAGAIN, receive_files(b, got, &count, 0));
        while (lipc_error_code(send_files(a, 1, &next, 1, 0)) == LIPC_EAGAIN)
            CHECK_ERROR(LIPC_EAGAIN, receive_files(b, got, &count, 0));
        CHECK_INT(1, receive_files(b, got, &count, WAIT));
        check_number(got[0], 7);
        close_traced(file, trace);
        close_all((lipc_handle[]){next, got[0]}, 2);
        close_pair();
    }
}

TEST(what_does_not_travel_over_a_channel_is_refused) {
    pair_of(&(lipc_channel_options){.memory = LIPC_CHANNEL_PREFER});
    lipc_name name;
    lipc_message m = {.size = sizeof m, .peer = &name};
    CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_send_message(a, &m, 0));
    CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_receive_message(a, &m, 0));
    CHECK_ERROR(LIPC_EINVAL, lipc_channel_send_message(a, NULL, 0));
    m = (lipc_message){.size = sizeof m, .handle_count = 1};
    CHECK_ERROR(LIPC_EINVAL, lipc_channel_send_message(a, &m, 0));
    close_pair();
}

#ifdef __linux__
TEST(credentials_come_with_a_message_that_was_sent_with_them) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        CHECK_OK(lipc_set_pass_credentials(lipc_channel_handle(b, LIPC_READ), 1));
        lipc_credentials claim, got;
        memset(&claim, 0xff, sizeof claim);
        lipc_buffer in = {in_data, 10}, out = {out_data, 3};
        lipc_message m = {.size = sizeof m, .buffers = &out, .buffer_count = 1, .credentials = &claim};
        CHECK_INT(3, lipc_channel_send_message(a, &m, WAIT));
        CHECK_INT(2, lipc_channel_send(a, "no", 2, WAIT));
        lipc_message r = {.size = sizeof r, .buffers = &in, .buffer_count = 1, .credentials = &got};
        CHECK_INT(3, lipc_channel_receive_message(b, &r, WAIT));
        CHECK_INT(getpid(), got.pid);
        CHECK_INT(getuid(), got.uid);
        CHECK_INT(2, lipc_channel_receive_message(b, &r, WAIT));
        CHECK_INT(-1, got.pid);
        close_pair();
    }
}

TEST(files_do_not_come_with_the_credentials_of_the_message_before) {
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory});
        lipc_credentials claim;
        memset(&claim, 0xff, sizeof claim);
        lipc_handle file = numbered_file(3), got[1];
        size_t count = 1;
        lipc_message m = {.size = sizeof m, .credentials = &claim};
        CHECK_INT(0, lipc_channel_send_message(a, &m, WAIT));
        if (memory == LIPC_CHANNEL_NEVER) /* the other way it waits */
            CHECK_INT(2, send_files(a, 2, &file, 1, WAIT));
        CHECK_INT(0, receive_files(b, got, &count, WAIT));
        CHECK_INT(0, (int64_t)count);
        if (memory != LIPC_CHANNEL_NEVER)
            CHECK_INT(2, send_files(a, 2, &file, 1, WAIT));
        count = 1;
        CHECK_INT(2, receive_files(b, got, &count, WAIT));
        CHECK_INT(1, (int64_t)count);
        check_number(got[0], 3);
        close_all((lipc_handle[]){file, got[0]}, 2);
        close_pair();
    }
}
#endif
