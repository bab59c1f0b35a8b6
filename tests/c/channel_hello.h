/* What the two ends of a channel send each other first, as docs/channel-protocol.md describes it: for peers that are
 * written without the library's help. */
#ifndef CHANNEL_HELLO_H
#define CHANNEL_HELLO_H

#include <stdint.h>
#include <string.h>

enum { HELLO = 64, SHARES = 1, BARRIER = 2, ANSWER = 4 }; /* the size, and the flags */

typedef struct hello {
    char magic[8];
    uint32_t order, length;
    uint16_t version_min, version_max;
    uint32_t flags, ring_size, max_message, max_handles;
    char reserved[28];
} hello;

static inline hello new_hello(uint32_t flags, uint32_t ring_size, uint32_t max_message, uint32_t max_handles) {
    hello h = {{0}, 0x01020304, sizeof h, 1, 1, flags, ring_size, max_message, max_handles, {0}};
    memcpy(h.magic, "\x89lipc\r\n\x1a", sizeof h.magic);
    return h;
}

#endif
