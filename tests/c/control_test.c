/* Control data: written, read, taken, closed; and with messages. */
#include "fixture.h"

#include <stdint.h>

enum { SOME_LEVEL = 77777, SOME_TYPE = -5 };

/* A buffer in memory of its own, so that the address sanitizer finds each access beyond it. off: not aligned. */
typedef struct room {
    char *memory;
    lipc_control control;
} room;

static room make_room(size_t size, size_t off) {
    room r = {.memory = malloc(size + off + (size + off == 0))};
    CHECK(r.memory != NULL);
    memset(r.memory, UNTOUCHED, size + off);
    r.control = (lipc_control){r.memory + off, size, 0, 0};
    return r;
}

static void check_item(const lipc_control_item *item, int kind, int level, int type, const void *data, size_t size) {
    CHECK_INT(kind, item->kind);
    CHECK_INT(level, item->level);
    CHECK_INT(type, item->type);
    CHECK_INT((int64_t)size, (int64_t)item->size);
    CHECK(size == 0 || memcmp(data, item->data, size) == 0);
}

/* ------------------------------------------- Writing -------------------------------------------- */

TEST(what_is_added_is_read_back_in_order) {
    for (size_t off = 0; off < 9; off++) {
        room r = make_room(LIPC_CONTROL_SIZE, off);
        lipc_control *c = &r.control;
        const lipc_handle handles[] = {5, 6, 70000};
        const int as_ints[] = {5, 6, 70000};
        lipc_control_item item;
        CHECK_INT(0, lipc_control_next(c, &item)); /* nothing has no pieces */
        for (size_t size = 0; size < 20; size++)
            CHECK_OK(lipc_control_add(c, SOME_LEVEL + (int)size, SOME_TYPE, "abcdefghijklmnopqrst", size));
        CHECK_OK(lipc_control_add_handles(c, handles, 3));
        CHECK_OK(lipc_control_add_handles(c, handles, 0));
        CHECK_OK(lipc_control_add(c, 0, 0, NULL, 0));
        CHECK(c->length <= c->size);
        CHECK_INT(0, c->position);
        for (int again = 0; again < 2; again++) {
            for (size_t size = 0; size < 20; size++) {
                CHECK_INT(1, lipc_control_next(c, &item));
                check_item(&item, LIPC_CONTROL_OTHER, SOME_LEVEL + (int)size, SOME_TYPE, "abcdefghijklmnopqrst", size);
                CHECK(item.data >= c->data && item.data + item.size <= c->data + c->length);
            }
            CHECK_INT(1, lipc_control_next(c, &item));
            check_item(&item, LIPC_CONTROL_HANDLES, SOL_SOCKET, SCM_RIGHTS, as_ints, sizeof as_ints);
            CHECK_INT(1, lipc_control_next(c, &item));
            check_item(&item, LIPC_CONTROL_HANDLES, SOL_SOCKET, SCM_RIGHTS, NULL, 0);
            CHECK_INT(1, lipc_control_next(c, &item));
            check_item(&item, LIPC_CONTROL_OTHER, 0, 0, NULL, 0);
            for (int i = 0; i < 2; i++)
                CHECK_INT(0, lipc_control_next(c, &item));
            c->position = 0;
        }
        free(r.memory);
    }
}

TEST(what_does_not_fit_leaves_the_buffer_as_it_was) {
    const lipc_handle handles[LIPC_MESSAGE_HANDLES] = {0};
    static char data[500];
    for (size_t size = 0; size < 400; size++) {
        room r = make_room(size, size % 3);
        char before[400];
        if (lipc_control_add(&r.control, SOME_LEVEL, SOME_TYPE, "first", 5) < 0)
            CHECK_INT(0, r.control.length);
        memcpy(before, r.control.data, size);
        size_t length = r.control.length;
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_control_add(&r.control, 1, 2, data, size));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_control_add(&r.control, 1, 2, data, SIZE_MAX));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_control_add(&r.control, 1, 2, data, SIZE_MAX - 7));
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_control_add_handles(&r.control, handles, LIPC_MESSAGE_HANDLES));
        CHECK_ERROR(LIPC_ETOOMANY, lipc_control_add_handles(&r.control, handles, LIPC_MESSAGE_HANDLES + 1));
        CHECK_INT((int64_t)length, (int64_t)r.control.length);
        CHECK(memcmp(before, r.control.data, size) == 0);
        /* It takes as much as there is room for. */
        while (lipc_control_add(&r.control, 1, 2, NULL, 0) >= 0)
            CHECK(r.control.length <= size);
        free(r.memory);
    }
}

TEST(the_advertised_size_takes_all_that_a_message_brings) {
    lipc_handle handles[LIPC_MESSAGE_HANDLES] = {0};
    room r = make_room(LIPC_CONTROL_SIZE, 0);
    CHECK_OK(lipc_control_add_handles(&r.control, handles, LIPC_MESSAGE_HANDLES));
#ifdef __linux__
    lipc_credentials own = {.pid = -1, .uid = -1, .gid = -1}, told;
    lipc_control_item item;
    CHECK_OK(lipc_control_add_credentials(&r.control, &own));
    CHECK_INT(1, lipc_control_next(&r.control, &item));
    CHECK_ERROR(LIPC_EINVAL, lipc_control_credentials(&item, &told));
    CHECK_INT(1, lipc_control_next(&r.control, &item));
    CHECK_INT(LIPC_CONTROL_CREDENTIALS, item.kind);
    CHECK_OK(lipc_control_credentials(&item, &told));
    CHECK_INT(getpid(), told.pid);
    CHECK_INT(geteuid(), told.uid);
    CHECK_INT(getegid(), told.gid);
    CHECK_INT(-1, told.reserved[0]);
    lipc_handle none;
    CHECK_INT(0, lipc_control_take(&item, &none, 1));
    r.control.size = r.control.length;
    CHECK_ERROR(LIPC_EMSGSIZE, lipc_control_add_credentials(&r.control, &own));
#else
    CHECK_ERROR(LIPC_ENOTSUP, lipc_control_add_credentials(&r.control, &(lipc_credentials){.pid = -1}));
#endif
    CHECK_OK(lipc_control_add(&(lipc_control){(char[64]){0}, 64, 0, 0}, SOL_SOCKET, 4, handles, sizeof(int)));
    free(r.memory);
}

/* ------------------------------------------- Reading -------------------------------------------- */

/* Control data whose header has that length, in memory of exactly so many bytes. */
static room malformed(size_t length, size_t bytes) {
    char data[256] = "";
    lipc_control whole = {data, sizeof data, 0, 0};
    CHECK_OK(lipc_control_add(&whole, SOL_SOCKET, SCM_RIGHTS, "\xff\xff\xff\xff\xff\xff\xff\xff", 8));
    struct cmsghdr header;
    memcpy(&header, data, sizeof header);
    header.cmsg_len = (unsigned)length == length ? (unsigned)length : header.cmsg_len - header.cmsg_len - 1;
    memcpy(data, &header, sizeof header);
    room r = make_room(bytes, 0);
    memcpy(r.control.data, data, bytes);
    r.control.length = bytes;
    return r;
}

TEST(what_is_no_control_data_is_an_error_and_nothing_beyond_it_is_read) {
    static const size_t lengths[] = {0, 1, sizeof(struct cmsghdr) - 1, CMSG_LEN(9), CMSG_LEN(10), 100,
                                     1 << 20, SIZE_MAX};
    for (size_t bytes = 0; bytes <= 64; bytes++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            room r = malformed(lengths[i], bytes);
            lipc_control_item item;
            memset(&item, UNTOUCHED, sizeof item);
            int n = lipc_control_next(&r.control, &item);
            bool fits = lengths[i] >= CMSG_LEN(0) && lengths[i] <= bytes;
            if (bytes == 0) {
                CHECK_INT(0, n);
            } else if (bytes < CMSG_LEN(0) || !fits) {
                for (int again = 0; again < 2; again++)
                    CHECK_ERROR(LIPC_EINVAL, lipc_control_next(&r.control, &item));
                CHECK_INT(0, r.control.position);
                CHECK(is_untouched(&item, sizeof item));
            } else {
                CHECK_INT(1, n);
                CHECK(item.data >= r.memory && item.data + item.size <= r.memory + bytes);
                lipc_handle none;
                CHECK_INT(0, lipc_control_take(&item, &none, 1)); /* -1 all of them, or not whole */
            }
            lipc_control_close(&r.control);
            CHECK_INT(0, r.control.length);
            free(r.memory);
        }
}

/* ------------------------------------------- Handles -------------------------------------------- */

/* Control data as if it was received: its handles belong to the test. */
static room with_files(int count) {
    lipc_handle handles[8];
    room r = make_room(256, 1);
    for (int i = 0; i < count; i++)
        handles[i] = numbered_file(i);
    CHECK_OK(lipc_control_add(&r.control, SOME_LEVEL, SCM_RIGHTS, "1234", 4)); /* it does not belong to the test */
    CHECK_OK(lipc_control_add_handles(&r.control, handles, (size_t)(count + 1) / 2));
    CHECK_OK(lipc_control_add_handles(&r.control, handles + (count + 1) / 2, (size_t)count / 2));
    return r;
}

TEST(handles_are_taken_in_steps_and_each_once) {
    for (size_t step = 1; step < 8; step++) {
        room r = with_files(7);
        lipc_control_item item;
        lipc_handle got[8];
        int number = 0;
        while (lipc_control_next(&r.control, &item) > 0) {
            for (int n; (n = lipc_control_take(&item, got, step)) > 0;) {
                CHECK(n <= (int)step);
                for (int i = 0; i < n; i++)
                    check_number(got[i], number++);
                close_all(got, n);
            }
            CHECK_INT(0, lipc_control_take(&item, got, 8));
            CHECK_INT(0, lipc_control_take(&item, NULL, 0));
        }
        CHECK_INT(7, number);
        lipc_control_close(&r.control); /* nothing is left to close */
        free(r.memory);
    }
}

TEST(closing_closes_what_nobody_took) {
    for (size_t taken = 0; taken <= 7; taken++) {
        room r = with_files(7);
        lipc_control_item item;
        lipc_handle got[8];
        size_t n = 0;
        while (lipc_control_next(&r.control, &item) > 0)
            n += (size_t)lipc_control_take(&item, got + n, taken - n);
        CHECK_INT((int64_t)taken, (int64_t)n);
        for (int again = 0; again < 3; again++) {
            lipc_control_close(&r.control); /* the second time there is nothing in it */
            CHECK_INT(0, r.control.length);
            CHECK_INT(0, r.control.position);
            CHECK_INT(0, lipc_control_next(&r.control, &item));
        }
        for (size_t i = 0; i < taken; i++)
            check_number(got[i], (int)i);
        close_all(got, (int)taken); /* the harness sees what else is open */
        free(r.memory);
    }
}

/* ------------------------------------------- Messages ------------------------------------------- */

/* Receives into control data, with room for so many handles beside it. */
static int64_t receive(lipc_handle from, lipc_control *control, lipc_handle *handles, size_t *count) {
    char data[16];
    lipc_message message = {.size = sizeof message,
                            .buffers = &(lipc_buffer){data, sizeof data},
                            .buffer_count = 1,
                            .handles = handles,
                            .handle_capacity = count != NULL ? *count : 0,
                            .control = control};
    int64_t r = lipc_receive_message(from, &message, WAIT);
    if (count != NULL && r >= 0)
        *count = message.handle_count;
    return r;
}

/* How many pieces of a kind there are. */
static int items_of(lipc_control *control, int kind, lipc_control_item *ret_last) {
    lipc_control_item item;
    int n = 0;
    for (control->position = 0; CHECK_OK(lipc_control_next(control, &item)) > 0;)
        if (item.kind == kind) {
            *ret_last = item;
            n++;
        }
    return n;
}

TEST(control_data_goes_first_and_stays_as_it_was) {
    EACH_PAIR(kind, a, b) {
        lipc_handle files[3] = {numbered_file(0), numbered_file(1), numbered_file(2)}, got[8];
        room r = make_room(256, 1);
        CHECK_OK(lipc_control_add_handles(&r.control, files, 2));
        size_t length = r.control.length, count = 8;
        for (int again = 0; again < 2; again++) { /* so it can be sent again */
            lipc_message message = {.size = sizeof message,
                                    .buffers = &(lipc_buffer){"x", 1},
                                    .buffer_count = 1,
                                    .handles = files + 2,
                                    .handle_count = 1,
                                    .control = &r.control};
            CHECK_INT(1, lipc_send_message(a, &message, WAIT));
            CHECK_INT((int64_t)length, (int64_t)r.control.length);
            CHECK_INT(0, r.control.position);
            CHECK_INT(1, receive_handles(b, (char[4]){0}, 4, got, &count, WAIT));
            CHECK_INT(3, (int64_t)count);
            for (int i = 0; i < 3; i++)
                check_number(got[i], i);
            close_all(got, 3);
            count = 8;
        }
        /* Without room for the rest nothing is sent. */
        r.control.size = r.control.length;
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){"x", 1},
                                .buffer_count = 1,
                                .handles = files + 2,
                                .handle_count = 1,
                                .control = &r.control};
        CHECK_ERROR(LIPC_EMSGSIZE, lipc_send_message(a, &message, WAIT));
        CHECK_INT((int64_t)length, (int64_t)r.control.length);
        lipc_control empty = {NULL, 0, 0, 0};
        message.handle_count = 0;
        message.control = &empty;
        CHECK_INT(1, lipc_send_message(a, &message, WAIT));
        CHECK_INT(1, receive_handles(b, (char[4]){0}, 4, got, &count, WAIT));
        CHECK_INT(0, (int64_t)count);
        close_all(files, 3);
        free(r.memory);
    }
}

TEST(control_data_receives_what_the_message_has_no_place_for) {
    EACH_PAIR(kind, a, b) {
        lipc_handle files[3] = {numbered_file(0), numbered_file(1), numbered_file(2)}, got[8];
        lipc_control_item item;
        room r = make_room(LIPC_CONTROL_SIZE, 1);
        for (int way = 0; way < 3; way++) {
            CHECK_INT(1, send_handles(a, "x", 1, files, 3, WAIT));
            size_t count = 5;
            if (way == 0) { /* all in the control data */
                CHECK_INT(1, receive(b, &r.control, NULL, NULL));
                CHECK_INT(1, items_of(&r.control, LIPC_CONTROL_HANDLES, &item));
                CHECK_INT(2, lipc_control_take(&item, got, 2));
                check_number(got[0], 0);
                check_number(got[1], 1);
                close_all(got, 2);
            } else if (way == 1) { /* all delivered */
                CHECK_INT(1, receive(b, &r.control, got, &count));
                CHECK_INT(3, (int64_t)count);
                for (int i = 0; i < 3; i++)
                    check_number(got[i], i);
                close_all(got, 3);
                while (lipc_control_next(&r.control, &item) > 0)
                    CHECK_INT(0, lipc_control_take(&item, got, 8));
            } else { /* too many for the message, and so none is in the control data either */
                count = 2;
                CHECK_ERROR(LIPC_EHANDLES, receive(b, &r.control, got, &count));
                CHECK_INT(2, (int64_t)count);
                CHECK_INT(0, r.control.length);
            }
            lipc_control_close(&r.control);
        }
        /* Handles of the message before are no longer in it. */
        CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
        CHECK_INT(1, receive(b, &r.control, NULL, NULL));
        CHECK_INT(0, items_of(&r.control, LIPC_CONTROL_HANDLES, &item));
        lipc_control_close(&r.control);
        close_all(files, 3);
        free(r.memory);
    }
}

#ifdef __linux__
TEST(credentials_come_in_the_control_data_too) {
    EACH_PAIR(kind, a, b) {
        CHECK_OK(lipc_set_pass_credentials(b, true));
        room out = make_room(256, 1), in = make_room(256, 2);
        lipc_credentials own = {.pid = -1, .uid = -1, .gid = -1}, told;
        lipc_control_item item;
        CHECK_OK(lipc_control_add_credentials(&out.control, &own));
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){"x", 1},
                                .buffer_count = 1,
                                .control = &out.control};
        CHECK_INT(1, lipc_send_message(a, &message, WAIT));
        CHECK_INT(1, receive(b, &in.control, NULL, NULL));
        CHECK_INT(1, items_of(&in.control, LIPC_CONTROL_CREDENTIALS, &item));
        CHECK_OK(lipc_control_credentials(&item, &told));
        CHECK_INT(getpid(), told.pid);
        CHECK_INT(geteuid(), told.uid);
        lipc_control_close(&in.control);
        if (lipc_set_pass_pidfd(b, true) >= 0) {
            lipc_handle pidfd;
            CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
            CHECK_INT(1, receive(b, &in.control, NULL, NULL));
            CHECK_INT(1, items_of(&in.control, LIPC_CONTROL_PIDFD, &item));
            CHECK_INT(1, lipc_control_take(&item, &pidfd, 1));
            CHECK_INT(0, lipc_control_take(&item, &pidfd, 1));
            CHECK_OK(lipc_close(pidfd));
            lipc_control_close(&in.control);
            CHECK_INT(1, send_handles(a, "x", 1, NULL, 0, WAIT));
            CHECK_INT(1, receive(b, &in.control, NULL, NULL));
            lipc_control_close(&in.control); /* closes it */
        }
        free(out.memory);
        free(in.memory);
    }
}

/* Linux says what it refuses. */
TEST(what_the_system_refuses_is_not_sent) {
    EACH_PAIR(kind, a, b) {
        room r = make_room(256, 0);
        CHECK_OK(lipc_control_add(&r.control, SOL_SOCKET, 0x7fff, "what?", 5));
        lipc_message message = {.size = sizeof message,
                                .buffers = &(lipc_buffer){"x", 1},
                                .buffer_count = 1,
                                .control = &r.control};
        CHECK_ERROR(LIPC_EINVAL, lipc_send_message(a, &message, WAIT));
        size_t none = 0;
        CHECK_ERROR(LIPC_EAGAIN, receive_handles(b, (char[4]){0}, 4, NULL, &none, 0));
        free(r.memory);
    }
}
#endif

TEST(control_data_that_was_cut_is_an_error_and_leaves_nothing_open) {
    EACH_PAIR(kind, a, b) {
        for (size_t size = 0; size <= CMSG_SPACE(8 * sizeof(int)) + 64; size++) {
            int trace = -1;
            lipc_handle handles[8];
            for (int i = 0; i < 8; i++)
                handles[i] = i == 0 ? traced(&trace) : handles[0];
            room r = make_room(size, 1);
            CHECK_INT(1, send_handles(a, "x", 1, handles, 8, WAIT));
            CHECK_OK(lipc_close(handles[0]));
            test_open before;
            test_descriptors(&before);
            int64_t n = receive(b, &r.control, NULL, NULL);
            if (n < 0) {
                CHECK_ERROR(LIPC_EHANDLES, n);
                CHECK(lipc_error_os(n) != EMFILE);
                CHECK_INT(0, r.control.length);
                test_same_descriptors(&before);
            }
            CHECK(n < 0 || size >= CMSG_LEN(8 * sizeof(int)));
            CHECK(n == 1 || size < CMSG_SPACE(8 * sizeof(int)) + 32);
            lipc_control_close(&r.control);
            check_gone(trace);
            free(r.memory);
        }
    }
}

/* A piece of before is gone afterwards. */
TEST(an_error_leaves_no_piece_to_take) {
    EACH_PAIR(kind, a, b) {
        char data[256];
        lipc_control control = {data, sizeof data, 0, 0};
        lipc_handle file = numbered_file(1);
        CHECK_INT(1, send_handles(a, "x", 1, &file, 1, WAIT));
        CHECK_OK(lipc_close(file));
        if (kind != LIPC_STREAM) { /* a message that does not fit */
            lipc_message message = {.size = sizeof message, .control = &control};
            CHECK_ERROR(LIPC_ETRUNCATED, lipc_receive_message(b, &message, WAIT));
            CHECK_INT(0, control.length);
        } else {
            CHECK_INT(1, receive(b, &control, NULL, NULL));
            lipc_control_close(&control);
        }
    }
}
