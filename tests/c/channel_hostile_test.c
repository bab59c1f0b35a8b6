/* Peers of an open channel that do not keep to the protocol. */
#include "channel_hostile.h"

/* ------------------------------------------- A peer --------------------------------------------- */

static lipc_handle room;    /* its end of the bell for room */
static char *shared_memory; /* as the peer has mapped it */

/* The words of a direction are 128 bytes apart, directions 512. The peer connected, so it sends in the first one. */
static uint32_t *word(int direction, int index) {
    return (uint32_t *)(void *)(shared_memory + direction * 512 + index * 128);
}

enum { HEAD = 0, CONSUMER = 1, PRODUCER = 2 };

/* The place of a record in the ring of a direction. */
static uint32_t *record_at(int direction, uint32_t offset) {
    return (uint32_t *)(void *)(shared_memory + 4096 + direction * RING + offset);
}

static void put_record(uint32_t offset, uint32_t kind, uint32_t length, uint32_t second) {
    uint32_t *at = record_at(0, offset);
    at[1] = second;
    __atomic_store_n(at, kind << 29 | length, __ATOMIC_RELEASE);
}

static void *do_handshake(void *unused) {
    (void)unused;
    hello h = good_hello(), answer;
    const uint32_t choice[2] = {SHARES_MEMORY, 0};
    CHECK_INT(HELLO, lipc_write(peer, &h, sizeof h, WAIT));
    lipc_handle handles[2];
    size_t count = 2;
    CHECK_INT(HELLO, receive_handles(peer, &answer, sizeof answer, handles, &count, WAIT));
    CHECK(memcmp(answer.magic, h.magic, 8) == 0 && (answer.flags & ANSWER));
    CHECK_INT(8, lipc_write(peer, choice, sizeof choice, WAIT));
#ifdef __linux__
    if (SHARES_MEMORY) {
        CHECK_INT(2, (int64_t)count);
        CHECK_INT(RING, answer.ring_size);
        shared_memory = mmap(NULL, 4096 + 2 * RING, PROT_READ | PROT_WRITE, MAP_SHARED, (int)handles[0], 0);
        CHECK(shared_memory != MAP_FAILED);
        CHECK_OK(lipc_close(handles[0]));
        room = handles[1];
    }
#endif
    return NULL;
}

/* Opens a, whose peer is this file. */
static void open_with_peer(void) {
    lipc_handle end;
    pthread_t thread;
    lipc_channel_options o = {.size = sizeof o, .accepting = 1, .ring_size = RING, .max_message = 5000};
    CHECK_OK(lipc_pair(LIPC_STREAM, &end, &peer));
    CHECK(pthread_create(&thread, NULL, do_handshake, NULL) == 0);
    CHECK_OK(lipc_channel_open(end, &o, WAIT, &a));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(SHARES_MEMORY, lipc_channel_shared(a));
}

static void close_peer(void) {
    lipc_channel_close(a);
    lipc_close(peer);
#ifdef __linux__
    if (SHARES_MEMORY) {
        CHECK(munmap(shared_memory, 4096 + 2 * RING) == 0);
        lipc_close(room);
    }
#endif
}

/* Nothing works after a violation, at either half. */
static void check_dead(void) {
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, 10, WAIT));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_send(a, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_write(a, "x", 1, WAIT));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_prepare(a, LIPC_READ, 0));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_shutdown(a, LIPC_WRITE, 0));
}

/* ------------------------------------------ The ring -------------------------------------------- */

MEMORY_TEST(a_peer_that_keeps_to_the_protocol_is_served) {
    open_with_peer();
    memcpy(record_at(0, 8), "hello", 5);
    put_record(0, MESSAGE, 5, 5);
    CHECK_INT(5, lipc_channel_receive(a, in_data, 10, WAIT));
    CHECK(memcmp(in_data, "hello", 5) == 0);
    CHECK_INT(3, lipc_channel_send(a, "abc", 3, WAIT));
    CHECK_INT(MESSAGE << 29 | 3, __atomic_load_n(record_at(1, 0), __ATOMIC_ACQUIRE));
    CHECK_INT(3, record_at(1, 0)[1]);
    CHECK(memcmp(record_at(1, 8), "abc", 3) == 0);
    put_record(16, FINISH, 0, 0);
    CHECK_ERROR(LIPC_EEND, lipc_channel_receive(a, in_data, 10, WAIT));
    close_peer();
}

static const struct {
    const char *name;
    struct {
        uint32_t offset, kind, length, second;
    } records[4]; /* the last one is published last; offset 1: there is none */
} violations[] = {
    {"longer than a record may be", {{0, MESSAGE, RING / 2 - 15, RING / 2 - 15}}},
    {"as long as can be", {{0, MESSAGE, 0x1fffffff, 0x7fffffff}}},
    {"longer than its message", {{0, MESSAGE, 9, 8}}},
    {"shorter than its message", {{0, MESSAGE, 8, 9}}},
    {"larger than the receiver takes", {{0, FRAGMENT, 100, 5001}}},
    {"a kind that does not exist", {{0, 6, 0, 0}}},
    {"another kind that does not exist", {{0, 7, 8, 8}}},
    {"a length without a kind", {{0, 0, 8, 8}}},
    {"an end with a length", {{0, FINISH, 8, 0}}},
    {"nothing to cancel", {{0, CANCEL, 0, 0}}},
    {"a fragment that is the whole", {{0, FRAGMENT, 8, 8}}},
    {"an empty fragment", {{0, FRAGMENT, 0, 8}}},
    {"a fragment that changes its size", {{0, FRAGMENT, 8, 100}, {16, FRAGMENT, 8, 99}}},
    {"a last fragment that is too long", {{0, FRAGMENT, 8, 12}, {16, MESSAGE, 8, 12}}},
    {"a last fragment that is too short", {{0, FRAGMENT, 8, 20}, {16, MESSAGE, 8, 20}}},
    {"fragments that are too long together", {{0, FRAGMENT, 8, 12}, {16, FRAGMENT, 8, 12}}},
    {"files without a file", {{0, MESSAGE, 8, FILES_FLAG | 8}}},
    {"files with a later fragment", {{0, FRAGMENT, 8, 100}, {16, FRAGMENT, 8, FILES_FLAG | 100}}},
    {"a pad with a length of its own", {{0, PAD, 8, 8}}},
    {"a pad that is not aligned", {{0, PAD, 0, 12}}},
    {"a pad beyond the end", {{0, PAD, 0, RING}}},
    {"a pad with a huge length", {{0, PAD, 0, 0xfffffff8}}},
    {"a pad with nothing behind it", {{0, PAD, 0, RING - 8}}}, /* it leads back to itself: two in a row */
    {"two pads in a row", {{0, PAD, 0, 8}, {16, PAD, 0, 8}}},
    {"a pad, and nothing yet", {{0, PAD, 0, 8}}},
    {"a record beyond the end", {{0, PAD, 0, RING - 24}, {RING - 16, MESSAGE, 16, 16}}},
};

MEMORY_TEST(a_record_that_cannot_be_kills_the_channel) {
    for (size_t i = 0; i < sizeof violations / sizeof *violations; i++) {
        test_row = violations[i].name;
        open_with_peer();
        for (int j = 3; j >= 0; j--)
            if (j == 0 || violations[i].records[j].kind != 0)
                put_record(violations[i].records[j].offset, violations[i].records[j].kind,
                           violations[i].records[j].length, violations[i].records[j].second);
        CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, sizeof in_data, WAIT));
        check_dead();
        close_peer();
    }
}

MEMORY_TEST(a_head_that_cannot_be_kills_the_channel) {
    static const uint32_t heads[] = {1 << 20, 0x80000000, 0xffffffff, RING + 8};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        open_with_peer();
        __atomic_store_n(word(1, HEAD), heads[i], __ATOMIC_RELEASE);
        int64_t n;
        for (int j = 0; (n = lipc_channel_send(a, out_data, 1000, 0)) >= 0; j++)
            CHECK(j < 10);
        CHECK_ERROR(LIPC_EPROTO, n);
        check_dead();
        close_peer();
    }
}

MEMORY_TEST(a_head_that_goes_back_kills_the_channel) {
    open_with_peer();
    CHECK_INT(1000, lipc_channel_send(a, out_data, 1000, 0));
    CHECK_INT(1000, lipc_channel_send(a, out_data, 1000, 0));
    CHECK_INT(1000, lipc_channel_send(a, out_data, 1000, 0));
    __atomic_store_n(word(1, HEAD), 2016, __ATOMIC_RELEASE);
    CHECK_INT(1000, lipc_channel_send(a, out_data, 1000, 0));
    CHECK_INT(1000, lipc_channel_send(a, out_data, 1000, 0)); /* it had to look for this one */
    __atomic_store_n(word(1, HEAD), 1008, __ATOMIC_RELEASE);
    int64_t n = 0;
    for (int j = 0; n >= 0 && j < 10; j++)
        n = lipc_channel_send(a, out_data, 1000, 0);
    CHECK_ERROR(LIPC_EPROTO, n);
    close_peer();
}

MEMORY_TEST(a_peer_that_changes_a_record_after_it_was_read_changes_nothing_but_its_content) {
    open_with_peer();
    const void *data;
    put_record(0, MESSAGE, 100, 100);
    CHECK_INT(100, lipc_channel_next(a, WAIT, &data));
    put_record(0, MESSAGE, 2000, 2000);
    CHECK_INT(100, lipc_channel_next(a, WAIT, &data));
    put_record(112, MESSAGE, 3, 3);
    lipc_channel_release(a);
    CHECK_INT(3, lipc_channel_receive(a, in_data, sizeof in_data, WAIT));
    close_peer();
}

MEMORY_TEST(a_batch_that_finds_a_violation_reports_it) {
    open_with_peer();
    lipc_buffer batch[10];
    for (int i = 0; i < 10; i++)
        batch[i] = (lipc_buffer){out_data, 1000};
    __atomic_store_n(word(1, CONSUMER), 1, __ATOMIC_RELEASE); /* a bell follows, although the connection is shut down */
    __atomic_store_n(word(1, HEAD), 1 << 20, __ATOMIC_RELEASE);
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_send_batch(a, batch, 10, 0));
    check_dead();
    close_peer();
}

/* Waits until the library's half waits. */
static void await(uint32_t *waits) {
    while (__atomic_load_n(waits, __ATOMIC_ACQUIRE) != 1) {
    }
}

static void *receive_violation(void *unused) {
    (void)unused;
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, 10, WAIT));
    return NULL;
}

static void *send_violation(void *unused) {
    (void)unused;
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_send(a, out_data, 5001, WAIT));
    return NULL;
}

MEMORY_TEST(a_violation_that_one_half_finds_ends_the_wait_of_the_other) {
    pthread_t thread;
    int64_t n = 0;
    open_with_peer();
    CHECK(pthread_create(&thread, NULL, receive_violation, NULL) == 0);
    await(word(0, CONSUMER));
    __atomic_store_n(word(1, HEAD), 1 << 20, __ATOMIC_RELEASE);
    while (n >= 0)
        n = lipc_channel_send(a, out_data, 1000, 0);
    CHECK_ERROR(LIPC_EPROTO, n);
    CHECK(pthread_join(thread, NULL) == 0);
    close_peer();
    open_with_peer();
    CHECK(pthread_create(&thread, NULL, send_violation, NULL) == 0);
    await(word(1, PRODUCER));
    put_record(0, 7, 0, 0);
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, 10, WAIT));
    CHECK(pthread_join(thread, NULL) == 0);
    close_peer();
}

static uint32_t random_state = 1;

static uint32_t random_number(void) {
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

/* The sanitizer sees what goes beyond the buffers, and the test's time limit what never ends. */
MEMORY_TEST(a_peer_that_writes_anything_anywhere_breaks_nothing) {
    for (int round = 0; round < 300; round++) {
        random_state = (uint32_t)round;
        open_with_peer();
        char *small = malloc(100);
        CHECK(small != NULL);
        for (int i = 0; i < 50; i++) {
            for (uint32_t j = random_number() % 8; j > 0; j--) {
                /* mostly where it matters: at the beginning of both rings, and in the words */
                uint32_t at = random_number() % 3 == 0 ? random_number() % 1024 : 4096 + random_number() % 64;
                at += random_number() % 4 == 0 ? RING : 0;
                uint32_t record = random_number() % 8 << 29 | random_number() % 64;
                uint32_t value = random_number() % 3 == 0 ? random_number() : record;
                __atomic_store_n((uint32_t *)(void *)(shared_memory + at / 4 * 4), value, __ATOMIC_RELEASE);
            }
            const void *data;
            void *place;
            int64_t n = 0;
            switch (random_number() % 7) {
            case 0: n = lipc_channel_receive(a, small, 100, 0); break;
            case 1: n = lipc_channel_send(a, out_data, random_number() % 3000, 0); break;
            case 2: n = lipc_channel_read(a, small, 100, 0); break;
            case 3:
                n = lipc_channel_next(a, 0, &data);
                if (n > 0)
                    memcpy(in_data, data, (size_t)n);
                lipc_channel_release(a);
                break;
            case 4:
                n = lipc_channel_reserve(a, random_number() % 2000, 0, &place);
                if (n >= 0) {
                    memset(place, 'x', (size_t)n);
                    lipc_channel_commit(a, (size_t)n, 0);
                }
                break;
            case 5: n = lipc_channel_prepare(a, LIPC_READ, 0); break;
            default: n = lipc_channel_receive(a, small, 100, LIPC_CHANNEL_ARM); break;
            }
            CHECK(n >= 0 || strcmp(lipc_error_name(n), "unknown") != 0);
        }
        free(small);
        close_peer();
    }
}

/* ---------------------------------------- The connection ---------------------------------------- */

MEMORY_TEST(a_flood_of_bells_costs_a_read_each_and_hides_nothing) {
    open_with_peer();
    static const char bells[4096];
    while (lipc_write(peer, bells, sizeof bells, 0) > 0) {
    }
    CHECK_ERROR(LIPC_ETIMEDOUT, lipc_channel_receive(a, in_data, 10, 20));
    while (lipc_write(peer, bells, sizeof bells, 0) > 0) {
    }
    put_record(0, MESSAGE, 3, 3);
    CHECK_INT(3, lipc_channel_receive(a, in_data, 10, WAIT));
    close_peer();
}

MEMORY_TEST(files_are_looked_for_in_16_reads_of_64_bells_each) {
    static const char bells[16 * 64];
    for (int reads = 16; reads <= 17; reads++) {
        open_with_peer();
        int trace;
        lipc_handle file = traced(&trace);
        CHECK_INT((reads - 1) * 64, lipc_write(peer, bells, (size_t)(reads - 1) * 64, 0));
        CHECK_INT(1, send_handles(peer, "\1", 1, &file, 1, 0));
        put_record(0, MESSAGE, 3, FILES_FLAG | 3);
        int64_t n = lipc_channel_receive(a, in_data, 10, 0);
        if (reads == 16)
            CHECK_INT(3, n);
        else
            CHECK_ERROR(LIPC_EPROTO, n);
        close_peer();
        close_traced(file, trace);
    }
}

MEMORY_TEST(files_that_were_not_announced_are_closed_and_kill_the_channel) {
    static const struct {
        const char *name;
        int count;
        char bytes[2];
    } cases[] = {{"with a bell", 1, {0}}, {"two at once", 2, {1, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_row = cases[i].name;
        open_with_peer();
        int traces[2];
        for (int j = 0; j < cases[i].count; j++) {
            lipc_handle file = traced(&traces[j]);
            CHECK_INT(1, send_handles(peer, &cases[i].bytes[j], 1, &file, 1, 0));
            CHECK_OK(lipc_close(file));
        }
        /* The first set of files may be on its way to a message. */
        int64_t n = lipc_channel_receive(a, in_data, 10, 20);
        CHECK(lipc_error_code(n) == LIPC_EPROTO);
        close_peer();
        for (int j = 0; j < cases[i].count; j++)
            check_gone(traces[j]);
    }
}

MEMORY_TEST(files_that_were_not_announced_are_closed_although_more_comes_after_them) {
    open_with_peer();
    int trace;
    lipc_handle file = traced(&trace);
    CHECK_ERROR(LIPC_EAGAIN, lipc_channel_receive(a, in_data, 10, LIPC_CHANNEL_ARM));
    CHECK_INT(1, send_handles(peer, "", 1, &file, 1, 0));
    CHECK_INT(1, lipc_write(peer, "", 1, 0));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, 10, LIPC_CHANNEL_ARM));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, 10, LIPC_CHANNEL_ARM));
    close_peer();
    close_traced(file, trace);
}

/* Opens a, whose peer sends over the connection alone. */
static void open_without_memory(void) {
    lipc_channel_options o = {.size = sizeof o, .accepting = 1, .max_message = 5000, .memory = LIPC_CHANNEL_NEVER};
    hello h = good_hello(), answer;
    const uint32_t choice[2] = {0, 0};
    lipc_handle end;
    CHECK_OK(lipc_pair(LIPC_STREAM, &end, &peer));
    CHECK_OK(lipc_channel_start(end, &o, &a));
    CHECK_INT(HELLO, lipc_write(peer, &h, sizeof h, 0));
    CHECK_INT(8, lipc_write(peer, choice, sizeof choice, 0));
    CHECK_OK(lipc_channel_handshake(a, WAIT));
    CHECK_INT(HELLO, lipc_read(peer, &answer, sizeof answer, WAIT));
}

static void close_without_memory(void) {
    lipc_channel_close(a);
    CHECK_OK(lipc_close(peer));
}

static void *flush_violation(void *unused) {
    (void)unused;
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_flush(a, WAIT));
    return NULL;
}

TEST(a_violation_without_memory_is_what_a_flush_that_waits_reports) {
    static const uint32_t header[2] = {7u << 29, 0};
    pthread_t thread;
    open_without_memory();
    while (lipc_channel_write(a, out_data, 30000, 0) > 0) {
    }
    CHECK(pthread_create(&thread, NULL, flush_violation, NULL) == 0);
    CHECK_INT(8, lipc_write(peer, header, sizeof header, 0));
    CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, 10, WAIT));
    CHECK(pthread_join(thread, NULL) == 0);
    close_without_memory();
}

TEST(records_that_cannot_be_kill_a_channel_without_memory) {
    for (size_t i = 0; i < sizeof violations / sizeof *violations; i++) {
        test_row = violations[i].name;
        if (strstr(test_row, "pad") != NULL || strstr(test_row, "files without") != NULL ||
            strstr(test_row, "longer than a record") != NULL || strstr(test_row, "beyond") != NULL)
            continue; /* there is no ring */
        open_without_memory();
        for (int j = 0; j < 4 && (j == 0 || violations[i].records[j].kind != 0); j++) {
            const uint32_t header[2] = {violations[i].records[j].kind << 29 | violations[i].records[j].length,
                                        violations[i].records[j].second};
            CHECK_INT(8, lipc_write(peer, header, sizeof header, 0));
            const size_t size = (violations[i].records[j].length + 7) & ~7u;
            if (size <= 32752) /* otherwise the header alone is enough */
                CHECK_INT(size, lipc_write(peer, out_data, size, 0));
        }
        CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, sizeof in_data, WAIT));
        close_without_memory();
    }
}

TEST(more_files_than_were_allowed_are_closed_and_kill_the_channel) {
    EACH_MEMORY(memory) {
        const uint32_t record[2] = {MESSAGE << 29, FILES_FLAG};
        const bool by_memory = memory != LIPC_CHANNEL_NEVER;
        lipc_handle files[LIPC_CHANNEL_HANDLES_DEFAULT + 1];
        for (int count = LIPC_CHANNEL_HANDLES_DEFAULT; count <= LIPC_CHANNEL_HANDLES_DEFAULT + 1; count++) {
            int trace;
            files[0] = traced(&trace);
            for (int i = 1; i < count; i++)
                files[i] = files[0];
            if (by_memory)
                open_with_peer();
            else
                open_without_memory();
            if (by_memory)
                CHECK_INT(1, send_handles(peer, "\1", 1, files, (size_t)count, 0));
            else
                CHECK_INT(8, send_handles(peer, record, sizeof record, files, (size_t)count, 0));
            if (by_memory)
                put_record(0, MESSAGE, 0, FILES_FLAG);
            test_open before;
            test_descriptors(&before);
            const int64_t n = lipc_channel_message_size(a, 0);
            if (count <= LIPC_CHANNEL_HANDLES_DEFAULT)
                CHECK_INT(0, n);
            else
                CHECK_ERROR(LIPC_EPROTO, n);
            if (count > LIPC_CHANNEL_HANDLES_DEFAULT)
                test_same_descriptors(&before);
            if (by_memory)
                close_peer();
            else
                close_without_memory();
            close_traced(files[0], trace);
        }
    }
}

TEST(files_with_a_record_that_announces_none_kill_a_channel_without_memory) {
    static const struct {
        const char *name;
        size_t before, with;      /* how many bytes of the records are sent before the files, and with them */
        uint32_t first, second;   /* the kinds of both records, of 8 bytes each with their headers */
        bool announced;           /* by the second record */
        int arrive;               /* messages before the violation; 2: there is none */
    } cases[] = {
        {"with the only record", 0, 8, MESSAGE, 0, false, 0},
        {"with a part of its header", 0, 3, MESSAGE, 0, false, 0},
        {"with the second record", 8, 8, MESSAGE, MESSAGE, false, 1},
        {"with the end", 0, 8, FINISH, 0, false, 0},
        {"with the rest of a record", 3, 5, MESSAGE, 0, false, 0},
        {"with the second record, which announces them", 8, 8, MESSAGE, MESSAGE, true, 2},
        {"with both records, of which the second announces them", 0, 16, MESSAGE, MESSAGE, true, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_row = cases[i].name;
        const uint32_t records[4] = {cases[i].first << 29, 0, cases[i].second << 29,
                                     cases[i].announced ? FILES_FLAG : 0};
        const char *bytes = (const char *)records;
        const size_t size = cases[i].second != 0 ? 16 : 8, sent = cases[i].before + cases[i].with;
        int trace;
        lipc_handle file = traced(&trace);
        open_without_memory();
        if (cases[i].before > 0)
            CHECK_INT(cases[i].before, lipc_write(peer, bytes, cases[i].before, 0));
        CHECK_INT(cases[i].with, send_handles(peer, bytes + cases[i].before, cases[i].with, &file, 1, 0));
        if (sent < size)
            CHECK_INT(size - sent, lipc_write(peer, bytes + sent, size - sent, 0));
        for (int j = 0; j < cases[i].arrive; j++)
            CHECK_INT(0, lipc_channel_receive(a, in_data, 10, 0));
        if (cases[i].arrive < 2)
            CHECK_ERROR(LIPC_EPROTO, lipc_channel_receive(a, in_data, 10, 0));
        close_without_memory();
        close_traced(file, trace);
    }
}
