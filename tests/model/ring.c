/* The core's channels, compiled so that each access to shared memory, and each bell, goes to the model. What asks the
 * system for something is replaced here. */
#include <stdlib.h>

#include "internal.h"

uint32_t model_load(const uint32_t *word, int order);
void model_store(uint32_t *word, uint32_t value, int order);
bool model_replace(uint32_t *word, uint32_t expected, uint32_t value);
void model_fence(int order);
void model_membarrier(void);
void model_copy(void *to, const void *from, size_t size);
void model_bell(int room);
size_t model_drain(int room, bool wait);
void model_poll(int room);

#define __atomic_load_n(word, order) model_load(word, order)
#define __atomic_store_n(word, value, order) model_store(word, value, order)
#define __atomic_compare_exchange_n(word, expected, value, weak, success, failure) \
    model_replace(word, *(expected), value)
#define __atomic_thread_fence(order) model_fence(order)
#define __atomic_signal_fence(order) ((void)0)

#define memcpy(to, from, size) model_copy(to, from, size)

/* The handles of both ends are these. */
enum { CONNECTION = 100, ROOM = 101 };

static int lipc__membarrier(void) {
    model_membarrier();
    return 0;
}

static uint32_t lipc__processor(void) {
    return 0;
}

static int lipc__processors(void) {
    return 1;
}

static int64_t lipc__now_us(void) {
    return 0;
}

static void lipc__sleep_ms(int milliseconds) {
    (void)milliseconds;
}

static int lipc__fault(int code) {
    return lipc__error(code, 0);
}

int lipc_close(lipc_handle handle) {
    (void)handle;
    return 0;
}

int lipc_shutdown(lipc_handle handle, int direction) {
    (void)handle;
    (void)direction;
    return 0;
}

int64_t lipc_write(lipc_handle handle, const void *data, size_t size, int timeout_ms) {
    (void)data;
    (void)timeout_ms;
    model_bell(handle == ROOM);
    return (int64_t)size;
}

int64_t lipc_read(lipc_handle handle, void *data, size_t size, int timeout_ms) {
    size_t n = model_drain(handle == ROOM, timeout_ms != 0);
    memset(data, 0, size);
    return n > 0 ? (int64_t)n : lipc__fault(LIPC_EAGAIN);
}

int64_t lipc_receive_message(lipc_handle handle, lipc_message *message, int timeout_ms) {
    return lipc_read(handle, message->buffers[0].data, message->buffers[0].size, timeout_ms);
}

int64_t lipc_send_message(lipc_handle handle, const lipc_message *message, int timeout_ms) {
    (void)handle;
    (void)message;
    (void)timeout_ms;
    return lipc__fault(LIPC_EINVAL);
}

static void lipc__handshake_end(lipc_channel *channel) {
    (void)channel;
}

static void lipc__memory_release(lipc_channel *channel) {
    (void)channel;
}

#include "portable/deadline.c"
#include "portable/error.c"
#include "portable/spin.c"
#include "ring_of_small_pages.c"
#include "portable/channel_wait.c"
#include "portable/channel_send.c"
#include "portable/channel_receive.c"
#include "portable/channel.c"

struct ends {
    lipc_channel producer, consumer;
    bool arm; /* the caller waits by itself */
    lipc__direction back; /* the direction that is not used */
};

const size_t model_ends_size = sizeof(struct ends);
const size_t model_offsets[] = {offsetof(lipc__direction, head), offsetof(lipc__direction, consumer),
                                offsetof(lipc__direction, producer), offsetof(lipc__direction, processor),
                                sizeof(lipc__direction)};

void model_attach(struct ends *ends, void *memory, uint32_t capacity, uint32_t position, bool membarrier, bool arm) {
    char *ring = (char *)memory + sizeof(lipc__direction);
    lipc__direction *there = memory, *back = &ends->back;
    lipc_channel channel = {.connection = CONNECTION, .room = ROOM, .shared = true, .membarrier = membarrier};
    ends->producer = ends->consumer = channel;
    ends->arm = arm;
    ends->producer.out_words = ends->consumer.in_words = there;
    ends->producer.in_words = ends->consumer.out_words = back;
    ends->producer.out = (lipc__out){
        .ring = {ring, there, capacity, .tail = position, .head = position, .base = position},
        .sleeper = {.handle = ROOM, .flag = &there->producer.word},
        .limit = lipc__record_limit(capacity),
        .peer_limit = LIPC_CHANNEL_MESSAGE_MAX,
    };
    ends->consumer.in = (lipc__in){
        .ring = {ring, there, capacity, .head = position, .published = position},
        .sleeper = {.handle = CONNECTION, .flag = &there->consumer.word},
        .limit = lipc__record_limit(capacity),
        .own_limit = LIPC_CHANNEL_MESSAGE_MAX,
    };
}

/* Returns how much was sent, or an error. */
int64_t model_send(struct ends *ends, const void *payload, size_t size) {
    int64_t n;
    while ((n = lipc_channel_send(&ends->producer, payload, size, ends->arm ? LIPC_CHANNEL_ARM : -1)) < 0 &&
           lipc_error_code(n) == LIPC_EAGAIN)
        model_poll(true);
    return n;
}

/* Returns the length of the message, or an error. */
int64_t model_receive(struct ends *ends, void *payload, size_t size) {
    int64_t n;
    while ((n = lipc_channel_receive(&ends->consumer, payload, size, ends->arm ? LIPC_CHANNEL_ARM : -1)) < 0 &&
           lipc_error_code(n) == LIPC_EAGAIN)
        model_poll(false);
    return n;
}

/* The producer sends no more, or the consumer receives no more. */
int model_end(struct ends *ends, bool consumer) {
    return lipc_channel_shutdown(consumer ? &ends->consumer : &ends->producer, consumer ? LIPC_READ : LIPC_WRITE, -1);
}

bool model_is(int64_t result, bool consumer) {
    return lipc_error_code(result) == (consumer ? LIPC_EEND : LIPC_EPIPE);
}
