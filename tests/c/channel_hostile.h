/* What peers of a channel are made of that do not keep to the protocol. They are written after docs/channel-protocol.md,
 * without the library's help. */
#ifndef CHANNEL_HOSTILE_H
#define CHANNEL_HOSTILE_H

#include "channel.h"

#ifdef __linux__
#include <sys/mman.h>
#include <sys/syscall.h>
#endif

enum { HELLO = 64, RING = 4096, SHARES = 1, ANSWER = 4, MESSAGE = 1, FRAGMENT = 2, PAD = 3, FINISH = 4, CANCEL = 5 };
#define FILES_FLAG UINT32_C(0x80000000)

typedef struct hello {
    char magic[8];
    uint32_t order, length;
    uint16_t version_min, version_max;
    uint32_t flags, ring_size, max_message, max_handles;
    char reserved[28];
} hello;

static inline hello good_hello(void) {
    hello h = {.order = 0x01020304,
               .length = sizeof h,
               .version_min = 1,
               .version_max = 1,
               .flags = SHARES_MEMORY ? SHARES : 0,
               .ring_size = RING,
               .max_message = 100000};
    memcpy(h.magic, "\x89lipc\r\n\x1a", 8);
    return h;
}

static lipc_handle peer;    /* the peer's end of the connection */

#endif
