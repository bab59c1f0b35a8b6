/* Both ends of a channel in four threads, each of which has one direction of an end. With the thread sanitizer, see
 * tests/c/run, both ends have the same mapping of the memory: it recognizes memory by its address. */
#include "channel.h"

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

#ifdef THREAD_SANITIZER
#include <sys/mman.h>

static void *mapping;
static int users; /* of the mapping */

/* The linker calls these in the place of mmap(2) and munmap(2): --wrap. */
void *__real_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (flags != MAP_SHARED || users == 0)
        mapping = __real_mmap64(address, size, protection, flags, fd, offset);
    users++;
    return mapping;
}

int __real_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size) {
    return --users > 0 ? 0 : __real_munmap(address, size);
}
#define USERS users
#else
#define USERS 2
#endif

enum { MESSAGES = 13000, LARGEST = 200000, BATCH = 8 };

static char pattern[LARGEST + 256];

static size_t size_at(unsigned i) {
    const unsigned random = (i * 2654435761u) >> 7;
    return random % 997 == 0 ? random % LARGEST : random % 17 == 0 ? random % 7000 : random % 200;
}

static const char *content_at(unsigned i) {
    return pattern + i % 251;
}

static void check_content(const char *data, size_t size, unsigned i) {
    if (size != size_at(i) || memcmp(data, content_at(i), size) != 0)
        FAIL("message %u is not the one that was sent", i);
}

static void *send_all(void *channel) {
    for (unsigned i = 0; i < MESSAGES;) {
        const size_t size = size_at(i);
        const char *data = content_at(i);
        lipc_buffer batch[BATCH];
        void *place;
        int64_t n = 1;
        switch (i / 3 % 3) { /* not in step with the receiver */
        case 0: CHECK_INT(size, lipc_channel_send(channel, data, size, WAIT)); break;
        case 1:
            for (unsigned j = 0; j < BATCH; j++)
                batch[j] = (lipc_buffer){(void *)(uintptr_t)content_at(i + j), size_at(i + j)};
            n = CHECK_OK(lipc_channel_send_batch(channel, batch, i + BATCH < MESSAGES ? BATCH : 1, WAIT));
            break;
        default:
            if ((int64_t)size > lipc_channel_reserve_limit(channel)) {
                CHECK_INT(size, lipc_channel_send(channel, data, size, WAIT));
                break;
            }
            CHECK_INT(size, lipc_channel_reserve(channel, size, WAIT, &place));
            memcpy(place, data, size);
            CHECK_INT(size, lipc_channel_commit(channel, size, WAIT));
        }
        i += (unsigned)n;
    }
    CHECK_OK(lipc_channel_shutdown(channel, LIPC_WRITE, WAIT));
    return NULL;
}

static void *receive_all(void *channel) {
    char *data = malloc(BATCH * LARGEST);
    CHECK(data != NULL);
    for (unsigned i = 0; i < MESSAGES;) {
        const void *place;
        lipc_buffer batch[BATCH];
        int64_t n = 1, size;
        switch (i / 5 % 3) {
        case 0:
            size = CHECK_OK(lipc_channel_receive(channel, data, LARGEST, WAIT));
            check_content(data, (size_t)size, i);
            break;
        case 1:
            for (unsigned j = 0; j < BATCH; j++)
                batch[j] = (lipc_buffer){data + j * LARGEST, LARGEST};
            n = CHECK_OK(lipc_channel_receive_batch(channel, batch, BATCH, WAIT));
            for (unsigned j = 0; j < n; j++)
                check_content(batch[j].data, batch[j].size, i + j);
            break;
        default:
            size = CHECK_OK(lipc_channel_next(channel, WAIT, &place));
            check_content(place, (size_t)size, i);
            lipc_channel_release(channel);
        }
        i += (unsigned)n;
    }
    CHECK_ERROR(LIPC_EEND, lipc_channel_receive(channel, data, LARGEST, WAIT));
    free(data);
    return NULL;
}

/* Runs these in threads of their own, each with the argument beside it. */
static void run_threads(void *(*const bodies[])(void *), void *const arguments[], int count) {
    pthread_t threads[4];
    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, bodies[i], arguments[i]) == 0);
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void exchange(int memory, int spin_us) {
    pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 1 << 14, .spin_us = spin_us});
    CHECK(!lipc_channel_shared(a) || USERS == 2); /* otherwise the sanitizer sees no race */
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i % 251 ^ i >> 8);
    run_threads((void *(*const[])(void *)){send_all, receive_all, send_all, receive_all},
                (void *const[]){a, b, b, a}, 4);
    close_pair();
}

TEST(four_threads_exchange_messages_of_all_sizes) {
    EACH_MEMORY(memory)
        exchange(memory, 0);
}

TEST(four_threads_that_do_not_spin_exchange_messages_of_all_sizes) {
    EACH_MEMORY(memory)
        exchange(memory, -1);
}

enum { BYTES = 20 << 20 };

static void *write_all(void *channel) {
    for (size_t done = 0, i = 0; done < BYTES; i++) {
        size_t size = size_at((unsigned)i * 31) + 1;
        size = size < BYTES - done ? size : BYTES - done;
        for (size_t at = 0; at < size;)
            at += (size_t)CHECK_OK(lipc_channel_write(channel, pattern + (done + at) % 251, size - at, WAIT));
        done += size;
    }
    CHECK_OK(lipc_channel_shutdown(channel, LIPC_WRITE, WAIT));
    return NULL;
}

static void *read_all(void *channel) {
    char *data = malloc(LARGEST);
    int64_t n;
    CHECK(data != NULL);
    size_t done = 0;
    for (; (n = CHECK_OK(lipc_channel_read(channel, data, 1 + done % 9000, WAIT))) > 0; done += (size_t)n)
        CHECK(memcmp(data, pattern + done % 251, (size_t)n) == 0);
    CHECK_INT(BYTES, done);
    free(data);
    return NULL;
}

TEST(bytes_flow_both_ways_at_once) {
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i % 251);
    EACH_MEMORY(memory) {
        pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 1 << 14});
        run_threads((void *(*const[])(void *)){write_all, read_all, write_all, read_all},
                    (void *const[]){a, b, b, a}, 4);
        close_pair();
    }
}

/* A peer that stops receiving ends a sender in another thread; messages that the sender has sent are lost. */
static void *send_until_it_ends(void *channel) {
    int64_t r = 0;
    while (r >= 0)
        r = lipc_channel_send(channel, pattern, 1000, WAIT);
    CHECK_ERROR(LIPC_EPIPE, r);
    return NULL;
}

static void *receive_some_and_stop(void *channel) {
    for (int i = 0; i < 100; i++)
        CHECK_INT(1000, lipc_channel_receive(channel, in_data, sizeof in_data, WAIT));
    CHECK_OK(lipc_channel_shutdown(channel, LIPC_READ, WAIT));
    return NULL;
}

TEST(a_half_close_ends_the_sender_in_another_thread) {
    EACH_MEMORY(memory)
        for (int i = 0; i < 50; i++) {
            pair_of(&(lipc_channel_options){.memory = memory, .ring_size = 4096});
            run_threads((void *(*const[])(void *)){send_until_it_ends, receive_some_and_stop},
                        (void *const[]){a, b}, 2);
            close_pair();
        }
}

/* An end of a channel without I/O, and the connection over which its threads move the bytes. */
typedef struct end {
    lipc_channel *channel;
    lipc_handle connection;
} end;

/* Moves bytes if a call failed because there were none. Returns whether the call is to be repeated. */
static bool moved(const end *e, int direction, int64_t result) {
    const void *data;
    void *room;
    if (lipc_error_code(result) != LIPC_EAGAIN)
        return false;
    if (direction == LIPC_WRITE) {
        int64_t n = CHECK_OK(lipc_channel_output(e->channel, &data));
        lipc_channel_output_done(e->channel, (size_t)CHECK_OK(lipc_write(e->connection, data, (size_t)n, WAIT)));
    } else {
        int64_t n = CHECK_OK(lipc_channel_input(e->channel, &room));
        lipc_channel_input_done(e->channel, (size_t)CHECK_OK(lipc_read(e->connection, room, (size_t)n, WAIT)));
    }
    return true;
}

static void *send_sans_io(void *argument) {
    const end *e = argument;
    for (unsigned i = 0; i < MESSAGES; i++) {
        int64_t n;
        do
            n = lipc_channel_send(e->channel, content_at(i), size_at(i), 0);
        while (moved(e, LIPC_WRITE, n));
        CHECK_INT(size_at(i), n);
    }
    while (moved(e, LIPC_WRITE, lipc_channel_shutdown(e->channel, LIPC_WRITE, 0))) {
    }
    return NULL;
}

static void *receive_sans_io(void *argument) {
    const end *e = argument;
    char *data = malloc(LARGEST);
    CHECK(data != NULL);
    int64_t n;
    for (unsigned i = 0; i <= MESSAGES; i++) {
        do
            n = lipc_channel_receive(e->channel, data, LARGEST, 0);
        while (moved(e, LIPC_READ, n));
        if (i < MESSAGES)
            check_content(data, (size_t)CHECK_OK(n), i);
    }
    CHECK_ERROR(LIPC_EEND, n);
    free(data);
    return NULL;
}

static void *open_sans_io(void *argument) {
    const end *e = argument;
    const void *data;
    int r;
    do
        r = lipc_channel_handshake(e->channel, 0);
    while (moved(e, lipc_channel_output(e->channel, &data) > 0 ? LIPC_WRITE : LIPC_READ, r));
    CHECK_OK(r);
    return NULL;
}

TEST(four_threads_move_the_bytes_of_channels_without_io) {
    end ends[2];
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (char)(i % 251 ^ i >> 8);
    CHECK_OK(lipc_pair(LIPC_STREAM, &ends[0].connection, &ends[1].connection));
    for (int i = 0; i < 2; i++) {
        const lipc_channel_options o = {.size = sizeof o, .accepting = i};
        CHECK_OK(lipc_channel_start_sans_io(&o, &ends[i].channel));
    }
    run_threads((void *(*const[])(void *)){open_sans_io, open_sans_io}, (void *const[]){&ends[0], &ends[1]}, 2);
    run_threads((void *(*const[])(void *)){send_sans_io, receive_sans_io, send_sans_io, receive_sans_io},
                (void *const[]){&ends[0], &ends[1], &ends[1], &ends[0]}, 4);
    for (int i = 0; i < 2; i++) {
        lipc_channel_close(ends[i].channel);
        CHECK_OK(lipc_close(ends[i].connection));
    }
}
