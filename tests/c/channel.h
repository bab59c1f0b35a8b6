/* What the tests of channels share: a pair of ends, patterns of data, the ways to have memory. */
#ifndef LIPC_TEST_CHANNEL_H
#define LIPC_TEST_CHANNEL_H

#include "fixture.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "lipc_channel.h"

#if defined(__linux__) && !defined(LIPC_PLAIN_POSIX)
#define SHARES_MEMORY 1
#else
#define SHARES_MEMORY 0
#endif

static lipc_channel *a, *b;
static char out_data[4 << 20], in_data[4 << 20];

static inline const char *word_for_memory(int memory) {
    return memory == LIPC_CHANNEL_NEVER ? "by connection" : "by memory";
}

/* Both ways, where the system has both. */
#define EACH_MEMORY(memory) \
    for (int memory = SHARES_MEMORY ? LIPC_CHANNEL_PREFER : LIPC_CHANNEL_NEVER; \
         memory <= LIPC_CHANNEL_NEVER && (test_row = word_for_memory(memory), true); memory += 2)

/* A test of what only shared memory has. Where processes share none, it is compiled, but is no test. */
#if SHARES_MEMORY
#define MEMORY_TEST(name) TEST(name)
#else
#define MEMORY_TEST(name) __attribute__((unused)) static void name(void)
#endif

/* Opens a and b with these options. */
static inline void pair_of(const lipc_channel_options *options) {
    lipc_channel_options o = *options;
    o.size = sizeof o;
    CHECK_OK(lipc_channel_pair(&o, &a, &b));
    CHECK_INT(o.memory != LIPC_CHANNEL_NEVER && SHARES_MEMORY, lipc_channel_shared(a));
    CHECK_INT(lipc_channel_shared(a), lipc_channel_shared(b));
}

static inline void close_pair(void) {
    lipc_channel_close(a);
    lipc_channel_close(b);
    a = b = NULL;
}

static inline void fill_pattern(char *data, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++)
        data[i] = (char)((i * 31 + seed * 7 + (i >> 8)) & 0xff);
}

static inline void check_pattern(const char *data, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++)
        if (data[i] != (char)((i * 31 + seed * 7 + (i >> 8)) & 0xff))
            FAIL("byte %zu of %zu of message %u is wrong", i, size, seed);
}

/* A thread of its own that sends a message from a, which need not fit the ring. */
static pthread_t background;

static inline void *send_one(void *size) {
    CHECK_INT((int64_t)(uintptr_t)size, lipc_channel_send(a, out_data, (uintptr_t)size, WAIT));
    return NULL;
}

static inline void send_in_background(size_t size) {
    fill_pattern(out_data, size, (unsigned)size);
    CHECK(pthread_create(&background, NULL, send_one, (void *)(uintptr_t)size) == 0);
}

static inline void end_background(void) {
    CHECK(pthread_join(background, NULL) == 0);
}

/* Sends a message from a to b. */
static inline void check_message(size_t size) {
    send_in_background(size);
    memset(in_data, UNTOUCHED, size + 1);
    CHECK_INT(size, lipc_channel_receive(b, in_data, sizeof in_data, WAIT));
    check_pattern(in_data, size, (unsigned)size);
    CHECK(in_data[size] == UNTOUCHED);
    end_background();
}

enum { MANY = 30 };

static inline size_t size_of_many(unsigned i) {
    return i % 5 == 0 ? 200000 + i : i * 137 % 5000;
}

static inline void *send_many(void *channel) {
    char *data = malloc(1 << 20);
    CHECK(data != NULL);
    for (unsigned i = 0; i < MANY; i++) {
        fill_pattern(data, size_of_many(i), i);
        CHECK_INT(size_of_many(i), lipc_channel_send(channel, data, size_of_many(i), WAIT));
    }
    free(data);
    return NULL;
}

static inline void *receive_many(void *channel) {
    char *data = malloc(1 << 20);
    CHECK(data != NULL);
    for (unsigned i = 0; i < MANY; i++) {
        CHECK_INT(size_of_many(i), lipc_channel_receive(channel, data, 1 << 20, WAIT));
        check_pattern(data, size_of_many(i), i);
    }
    free(data);
    return NULL;
}

#ifdef __linux__
/* How much of the memory of channels is resident in this process, in KiB, over all mappings. */
static inline int resident_kib(void) {
    FILE *file = fopen("/proc/self/smaps", "r");
    CHECK(file != NULL);
    char line[512];
    int total = 0, kib;
    bool ours = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strchr(line, '-') != NULL && strchr(line, '-') < strchr(line, ' '))
            ours = strstr(line, "memfd:lipc channel") != NULL;
        else if (ours && sscanf(line, "Rss: %d kB", &kib) == 1)
            total += kib;
    }
    fclose(file);
    return total;
}
#else
static inline int resident_kib(void) {
    return 0;
}
#endif

#endif
