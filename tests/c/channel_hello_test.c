/* Peers that do not keep to the protocol of the handshake, and those of other versions. */
#include "channel_hostile.h"

/* Opens the end of the library with these options, with a peer that has sent this. Returns the result. */
static int open_against(int accepting, int memory, const void *bytes, size_t size, const lipc_handle *handles,
                        size_t count, bool ends, int timeout_ms) {
    lipc_channel_options o = {.size = sizeof o, .accepting = accepting, .memory = memory, .ring_size = 65536};
    lipc_handle end;
    lipc_channel *channel = (lipc_channel *)(uintptr_t)&o;
    CHECK_OK(lipc_pair(LIPC_STREAM, &end, &peer));
    if (size > 0)
        CHECK_INT(size, send_handles(peer, bytes, size, handles, count, 0));
    if (ends)
        CHECK_OK(lipc_shutdown(peer, LIPC_WRITE));
    int r = lipc_channel_open(end, &o, timeout_ms, &channel);
    if (r >= 0)
        lipc_channel_close(channel);
    else
        CHECK(channel == (lipc_channel *)(uintptr_t)&o && lipc_close(end) == 0);
    CHECK_OK(lipc_close(peer));
    return r;
}

TEST(a_peer_that_is_no_channel_is_found_out_in_time) {
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    hello h = good_hello();
    for (int accepting = 0; accepting < 2; accepting++) {
        CHECK_ERROR(LIPC_EPROTO, open_against(accepting, 0, http, sizeof http - 1, NULL, 0, false, WAIT));
        CHECK_ERROR(LIPC_EPROTO, open_against(accepting, 0, "x", 1, NULL, 0, false, WAIT));
        CHECK_ERROR(LIPC_ETIMEDOUT, open_against(accepting, 0, NULL, 0, NULL, 0, false, 20));
        CHECK_ERROR(LIPC_ETIMEDOUT, open_against(accepting, 0, &h, sizeof h - 1, NULL, 0, false, 20));
        CHECK_ERROR(LIPC_EAGAIN, open_against(accepting, 0, NULL, 0, NULL, 0, false, 0));
        CHECK_ERROR(LIPC_EEND, open_against(accepting, 0, NULL, 0, NULL, 0, true, WAIT));
        CHECK_ERROR(LIPC_EEND, open_against(accepting, 0, &h, 20, NULL, 0, true, WAIT));
    }
}

TEST(a_hello_that_cannot_be_is_refused) {
    for (int accepting = 0; accepting < 2; accepting++)
        for (int i = 0; i < 10; i++) {
            hello h = good_hello();
            char row[50];
            snprintf(row, sizeof row, "accepting %d, case %d", accepting, i);
            test_row = row;
            h.flags = accepting ? 0 : ANSWER;
            switch (i) {
            case 0: h.order = 0x01020305; break;
            case 1: h.length = 63; break;
            case 2: h.length = 1025; break;
            case 3: h.version_min = 0; break;
            case 4: h.version_min = 2; break;
            case 5: h.max_message = 0x80000000; break;
            case 6: h.magic[7] = 0; break;
            case 7: h.flags ^= ANSWER; break; /* both ends are the same one */
            case 8: h.max_handles = LIPC_MESSAGE_HANDLES + 1; break;
            default: /* memory without any */
                if (accepting)
                    continue;
                h.flags = ANSWER | SHARES;
            }
            CHECK_ERROR(LIPC_EPROTO, open_against(accepting, 0, &h, sizeof h, NULL, 0, false, WAIT));
        }
}

MEMORY_TEST(a_client_takes_of_the_budget_from_its_hello_until_it_does_without_memory_or_is_closed) {
    for (int declines = 0; declines < 2; declines++) {
        lipc_channel_budget budget = {.limit = 4096 + 2 * RING};
        lipc_channel_options o = {.size = sizeof o, .accepting = 1, .ring_size = RING, .budget = &budget};
        const uint32_t choice[2] = {0, 0};
        hello h = good_hello();
        lipc_handle end;
        CHECK_OK(lipc_pair(LIPC_STREAM, &end, &peer));
        CHECK_OK(lipc_channel_start(end, &o, &a));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(a, 0));
        CHECK_INT(HELLO - 1, lipc_write(peer, &h, HELLO - 1, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(a, 0));
        CHECK_INT(0, (int64_t)budget.used);
        CHECK_INT(1, lipc_write(peer, (char *)&h + HELLO - 1, 1, 0));
        CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(a, 0));
        CHECK_INT(budget.limit, (int64_t)budget.used);
        if (declines) {
            CHECK_INT(8, lipc_write(peer, choice, sizeof choice, 0));
            CHECK_OK(lipc_channel_handshake(a, 0));
            CHECK_INT(0, (int64_t)budget.used);
        }
        lipc_channel_close(a);
        CHECK_INT(0, (int64_t)budget.used);
        CHECK_OK(lipc_close(peer));
    }
}

TEST(versions_that_have_none_in_common_are_reported_to_both) {
    for (int accepting = 0; accepting < 2; accepting++) {
        lipc_channel_options o = {.size = sizeof o, .accepting = accepting};
        hello h = good_hello(), answer;
        lipc_handle end;
        h.version_min = 3;
        h.version_max = 7;
        h.flags = accepting ? 0 : ANSWER;
        CHECK_OK(lipc_pair(LIPC_STREAM, &end, &peer));
        CHECK_OK(lipc_channel_start(end, &o, &a));
        CHECK_INT(HELLO, lipc_write(peer, &h, sizeof h, 0));
        CHECK_ERROR(LIPC_ENOTSUP, lipc_channel_handshake(a, WAIT));
        lipc_channel_versions v;
        lipc_channel_version(a, &v);
        CHECK_INT(1, v.own_max);
        CHECK_INT(3, v.peer_min);
        CHECK_INT(7, v.peer_max);
        CHECK_INT(HELLO, lipc_read(peer, &answer, sizeof answer, 0));
        CHECK_INT(1, answer.version_max);
        lipc_channel_close(a);
        CHECK_OK(lipc_close(peer));
    }
}

TEST(what_a_later_version_adds_to_a_hello_is_passed_over) {
    lipc_channel_options o = {.size = sizeof o, .accepting = 1, .memory = LIPC_CHANNEL_NEVER};
    hello h = good_hello();
    const uint32_t choice[2] = {0, 0};
    lipc_handle end;
    h.length = 200;
    h.version_max = 9;
    CHECK_OK(lipc_pair(LIPC_STREAM, &end, &peer));
    CHECK_OK(lipc_channel_start(end, &o, &a));
    CHECK_INT(HELLO, lipc_write(peer, &h, sizeof h, 0));
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_handshake(a, 0));
    CHECK_INT(200 - HELLO, lipc_write(peer, out_data, 200 - HELLO, 0));
    CHECK_INT(8, lipc_write(peer, choice, sizeof choice, 0));
    CHECK_OK(lipc_channel_handshake(a, WAIT));
    lipc_channel_close(a);
    CHECK_OK(lipc_close(peer));
}

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)

enum { SEALABLE = 2, SIZE_SEALS = 2 | 4, ADD_SEALS = 1033 };

/* Memory as an accepting end has to send it, or not. */
static int memory_of(size_t size, int seals) {
    int fd = (int)syscall(SYS_memfd_create, "test", SEALABLE);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && (seals == 0 || fcntl(fd, ADD_SEALS, seals) == 0));
    return fd;
}

TEST(memory_that_is_not_as_it_must_be_is_refused) {
    const size_t size = 4096 + 2 * RING;
    lipc_handle pair[2], good = memory_of(size, SIZE_SEALS), plain = numbered_file(1);
    CHECK_OK(lipc_pair(LIPC_STREAM, &pair[0], &pair[1]));
    CHECK(ftruncate((int)plain, (off_t)size) == 0);
    const lipc_handle shrinks = memory_of(size, 4), grows = memory_of(size, 2), none = memory_of(size, 0),
                      small = memory_of(size - 4096, SIZE_SEALS), large = memory_of(size + 4096, SIZE_SEALS);
    const struct {
        const char *name;
        lipc_handle handles[3];
        size_t count;
        uint32_t ring_size;
    } cases[] = {
        {"it can shrink", {shrinks, pair[0]}, 2, RING},
        {"it can grow", {grows, pair[0]}, 2, RING},
        {"it has no seals", {none, pair[0]}, 2, RING},
        {"it is too small", {small, pair[0]}, 2, RING},
        {"it is too large", {large, pair[0]}, 2, RING},
        {"it is a file", {plain, pair[0]}, 2, RING},
        {"it is a socket", {pair[0], pair[0]}, 2, RING},
        {"the bell is a file", {good, plain}, 2, RING},
        {"there is no bell", {good}, 1, RING},
        {"the rings are too large", {good, pair[0]}, 2, 1 << 20},
        {"the rings are too small", {good, pair[0]}, 2, 2048},
        {"the rings have an odd size", {good, pair[0]}, 2, RING + 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_row = cases[i].name;
        hello h = good_hello();
        h.flags = ANSWER | SHARES;
        h.ring_size = cases[i].ring_size;
        CHECK_ERROR(LIPC_EPROTO, open_against(0, 0, &h, sizeof h, cases[i].handles, cases[i].count, false, WAIT));
    }
    hello h = good_hello();
    h.flags = ANSWER | SHARES;
    test_row = "it was not asked for";
    CHECK_ERROR(LIPC_EPROTO,
                open_against(0, LIPC_CHANNEL_NEVER, &h, sizeof h, (lipc_handle[]){good, pair[0]}, 2, false, WAIT));
    test_row = "it is as it must be";
    CHECK_OK(open_against(0, 0, &h, sizeof h, (lipc_handle[]){good, pair[0]}, 2, false, WAIT));
    close_all((lipc_handle[]){good, plain, shrinks, grows, none, small, large, pair[0], pair[1]}, 9);
}

TEST(a_client_that_may_open_no_more_files_goes_without_memory) {
    hello h = good_hello();
    h.flags = ANSWER | SHARES;
    for (int memory = LIPC_CHANNEL_PREFER; memory <= LIPC_CHANNEL_REQUIRE; memory++) {
        lipc_channel_options o = {.size = sizeof o, .memory = memory};
        lipc_handle end, pair[2], good = memory_of(4096 + 2 * RING, SIZE_SEALS);
        uint32_t choice[2] = {9, 9};
        CHECK_OK(lipc_pair(LIPC_STREAM, &end, &peer));
        CHECK_OK(lipc_pair(LIPC_STREAM, &pair[0], &pair[1]));
        CHECK_INT(HELLO, send_handles(peer, &h, sizeof h, (lipc_handle[]){good, pair[0]}, 2, 0));
        CHECK_OK(lipc_channel_start(end, &o, &a));
        struct rlimit limit = forbid_descriptors();
        int r = lipc_channel_handshake(a, WAIT);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        if (memory == LIPC_CHANNEL_PREFER) {
            CHECK_OK(r);
            CHECK_INT(0, lipc_channel_shared(a));
            CHECK_INT(HELLO, lipc_read(peer, in_data, HELLO, WAIT));
            CHECK_INT(8, lipc_read(peer, choice, sizeof choice, WAIT));
            CHECK_INT(0, choice[0]);
        } else {
            CHECK_ERROR(LIPC_EMFILE, r);
        }
        lipc_channel_close(a);
        close_all((lipc_handle[]){peer, pair[0], pair[1], good}, 4);
    }
}
#endif
