/* What peers of a channel are made of that do not keep to the protocol. They are written after docs/channel-protocol.md,
 * without the library's help. */
#ifndef CHANNEL_HOSTILE_H
#define CHANNEL_HOSTILE_H

#include "channel.h"
#include "channel_hello.h"

#ifdef __linux__
#include <sys/mman.h>
#include <sys/syscall.h>
#endif

enum { RING = 4096, MESSAGE = 1, FRAGMENT = 2, PAD = 3, FINISH = 4, CANCEL = 5 };
#define FILES_FLAG UINT32_C(0x80000000)

static inline hello good_hello(void) { return new_hello(SHARES_MEMORY ? SHARES : 0, RING, 100000, 0); }

static lipc_handle peer;    /* the peer's end of the connection */

#endif
