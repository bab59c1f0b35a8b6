/* The peer of channel_fuzz.c, which its input tells what to do. It is written after docs/channel-protocol.md, without the
 * library's help. */
#ifndef CHANNEL_PEER_H
#define CHANNEL_PEER_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../channel_hello.h"
#include "lipc_channel.h"

#define CHECK(condition) ((condition) ? (void)0 : __builtin_trap())
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    MESSAGE = 1, FRAGMENT = 2, PAD = 3, FINISH = 4, CANCEL = 5, /* kinds of records */
    HEAD = 0, CONSUMER = 1, PRODUCER = 2, PROCESSOR = 3, /* words of a direction */
    WORDS = 4096, LARGEST_RING = 16384, GUARD = 1 << 16,
    VICTIM_LIMIT = 5000, PEER_LIMIT = 9000, /* the largest messages that they take */
    PEER_HANDLES = 1, VICTIM_HANDLES = 2,   /* and the most files with one */
    MOST_BELLS = 500 /* beyond which the victim need not look for the files that come after them */
};
#define WITH_FILES UINT32_C(0x80000000)

/* ------------------------------------------- The input ------------------------------------------ */

static const uint8_t *input;
static size_t left;

static uint32_t take(int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes && left > 0; i++, left--)
        value |= (uint32_t)*input++ << 8 * i;
    return value;
}

/* -------------------------------------------- The peer ------------------------------------------ */

static char data[PEER_LIMIT + 1000];          /* what everybody sends */
static int memories[3], unfit[5];             /* memory for each size of ring; descriptors that are no such memory */
static lipc_channel *victim;
static int connection = -1, room = -1, spare = -1; /* the peer's */
static char *shared;                          /* as the peer has mapped it, or NULL */
static size_t ring;                           /* the size of a ring */
static int to_victim;                         /* the direction in which the peer sends */
static bool honest;                           /* the peer has kept to the protocol so far */
static uint32_t bells;                        /* that nobody asked for */
static bool sent_memory;                      /* as it has to be, in a handshake */

static struct {
    uint32_t tail;        /* where the next record goes */
    uint32_t total, put;  /* of the message under way */
    bool begun, with_files, finished;
    uint32_t files_until; /* where the last message with files ends */
    uint32_t pad;         /* before the next record, in units of 8 bytes */
    char outbox[1 << 15]; /* without memory: what is still to be sent */
    size_t outbox_size;
} producer;

static struct {
    uint32_t head, total, got;
    bool begun;
} consumer;

static uint32_t *word(int direction, int index) {
    return (uint32_t *)(void *)(shared + direction * 512 + index * 128);
}

static char *ring_of(int direction) {
    return shared + WORDS + (size_t)direction * ring;
}

static uint32_t *record_at(int direction, uint32_t position) {
    return (uint32_t *)(void *)(ring_of(direction) + (position & (ring - 1)));
}

static uint32_t load(uint32_t *at) {
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *at, uint32_t value) {
    __atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* Sends bytes, with descriptors. Returns whether all were sent. */
static bool transmit(int fd, const void *bytes, size_t size, const int *descriptors, size_t count) {
    char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec buffer = {(void *)(uintptr_t)bytes, size};
    struct msghdr m = {.msg_iov = &buffer, .msg_iovlen = 1};
    if (count > 0) {
        memset(control, 0, sizeof control);
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *item = CMSG_FIRSTHDR(&m);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(item), descriptors, count * sizeof(int));
    }
    return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

/* Receives at most size bytes, and one or two descriptors, which are stored or closed. Returns how many bytes. */
static ssize_t take_in(int fd, void *bytes, size_t size, int *ret_descriptors) {
    char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec buffer = {bytes, size};
    struct msghdr m = {.msg_iov = &buffer, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *item = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (item == NULL)
        return n;
    int got[4];
    size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    CHECK(count <= COUNT(got));
    memcpy(got, CMSG_DATA(item), count * sizeof(int));
    if (ret_descriptors != NULL && count == 2)
        memcpy(ret_descriptors, got, sizeof got / 2);
    else
        for (size_t i = 0; i < count; i++)
            close(got[i]);
    return n;
}

static void wake(uint32_t *flag, int fd) {
    uint32_t waits = 1;
    if (__atomic_compare_exchange_n(flag, &waits, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        transmit(fd, "", 1, NULL, 0);
}

static uint32_t size_of_record(uint32_t length) {
    return 8 + ((length + 7) & ~UINT32_C(7));
}

/* Puts a record, with its payload, where it is published by its header. */
static void put_record(uint32_t *at, uint32_t header, uint32_t second, uint32_t length) {
    memcpy(at + 2, data, length);
    store(at + 1, second);
    store(at, header);
}

/* Publishes a record as the protocol says, if there is room. Without memory it is put where action 14 sends it. */
static bool publish(uint32_t kind, uint32_t length, uint32_t second, const int *files, size_t file_count) {
    const uint32_t header = kind << 29 | length, size = size_of_record(length);
    if (producer.finished)
        return false;
    honest = honest && file_count <= VICTIM_HANDLES;
    if (shared == NULL) {
        char *at = producer.outbox + producer.outbox_size;
        if (size > sizeof producer.outbox - producer.outbox_size || (file_count > 0 && producer.outbox_size > 0))
            return false;
        put_record((uint32_t *)(void *)at, header, second, length);
        if (file_count == 0)
            producer.outbox_size += size;
        else
            honest = transmit(connection, at, size, files, file_count) && honest;
        return true;
    }
    const uint32_t offset = producer.tail & (uint32_t)(ring - 1);
    uint32_t skip = kind == FINISH ? 0 : 8 * producer.pad;
    if (offset + skip + size > ring)
        skip = (uint32_t)ring - offset;
    producer.pad = 0;
    if (kind != FINISH && producer.tail - load(word(to_victim, HEAD)) + skip + size + 8 > ring)
        return false;
    if (file_count > 0)
        honest = transmit(connection, "\1", 1, files, file_count) && honest;
    if (kind != FINISH)
        store(record_at(to_victim, producer.tail + skip + size), 0);
    put_record(record_at(to_victim, producer.tail + skip), header, second, length);
    if (skip > 0)
        put_record(record_at(to_victim, producer.tail), (uint32_t)PAD << 29, skip - 8, 0);
    producer.tail += skip + size;
    wake(word(to_victim, CONSUMER), connection);
    return true;
}

/* Publishes a part of a message. more: how much of the message is still to come, if this is the first part. */
static void publish_part(uint32_t length, uint32_t more, size_t file_count) {
    const uint32_t limit = (uint32_t)(shared != NULL ? ring : 1 << 16) / 2 - 16;
    const bool first = !producer.begun;
    if (first) {
        producer.total = length + more > VICTIM_LIMIT ? length : length + more;
        producer.put = 0;
    }
    const uint32_t missing = producer.total - producer.put;
    if (length > missing)
        length = missing;
    if (length > limit)
        length = limit;
    if (length == 0 && missing > 0)
        length = 1;
    if (shared != NULL && producer.tail - load(word(to_victim, HEAD)) > producer.tail - producer.files_until)
        file_count = 0; /* those before were not taken yet */
    if (!first)
        file_count = 0;
    if (!publish(length == missing ? MESSAGE : FRAGMENT, length, producer.total | (file_count > 0 ? WITH_FILES : 0),
                 unfit, file_count))
        return;
    producer.put += length;
    producer.begun = length < missing;
    producer.with_files = file_count > 0 || (producer.with_files && !first);
    if (producer.with_files)
        producer.files_until = producer.tail;
}

/* Consumes a record of the victim, and checks it if the peer was honest until now. Returns whether there was one. */
static bool consume(void) {
    const int direction = !to_victim;
    for (bool padded = false;; padded = true) {
        uint32_t *at = record_at(direction, consumer.head), header = load(at), second = load(at + 1);
        const uint32_t kind = header >> 29, length = header & 0x1fffffff, total = second & ~WITH_FILES;
        const uint32_t room_left = (uint32_t)ring - (consumer.head & (uint32_t)(ring - 1));
        if (header == 0 && !padded)
            return false;
        if (kind == PAD && !padded && length == 0 && second % 8 == 0 && second <= room_left - 8) {
            consumer.head += 8 + second;
            continue;
        }
        const bool part = kind == MESSAGE || kind == FRAGMENT;
        bool good = part || ((kind == FINISH || (kind == CANCEL && consumer.begun)) && header << 3 == 0 && second == 0);
        if (part) {
            if (!consumer.begun)
                consumer.got = 0, consumer.total = total;
            const uint32_t missing = consumer.total - consumer.got;
            good = length <= ring / 2 - 16 && size_of_record(length) <= room_left && total == consumer.total &&
                   total <= PEER_LIMIT && (kind == MESSAGE ? length == missing : length > 0 && length < missing) &&
                   !(consumer.begun && (second & WITH_FILES));
        }
        CHECK(good || !honest);
        if (!good || kind == FINISH)
            return false;
        consumer.got += length;
        consumer.begun = kind == FRAGMENT;
        consumer.head += size_of_record(length);
        store(word(direction, HEAD), consumer.head);
        wake(word(direction, PRODUCER), room);
        return true;
    }
}

static void drain(int fd) {
    char bytes[4096];
    for (int i = 0; i < 64 && take_in(fd, bytes, sizeof bytes, NULL) > 0; i++) {
    }
}

static void lie(uint32_t *at, uint32_t value) {
    honest = false;
    store(at, value);
}

/* What the peer does; some of it concerns shared memory alone. */
static void peer_acts(uint32_t action) {
    char bytes[64];
    uint32_t n;
    action %= 16;
    if (shared == NULL && (action < 4 || action == 8 || action == 10))
        action = 9;
    switch (action) {
    case 0: /* a word */
        n = take(1);
        lie(word(n & 1, n >> 1 & 3), take(n & 8 ? 4 : 1));
        break;
    case 1: /* anything anywhere */
        n = take(2);
        lie((uint32_t *)(void *)(shared + 4 * (n % ((WORDS + 2 * ring) / 4))), take(4));
        break;
    case 2: /* a record, where the victim looks for it next */
        n = take(4);
        lie(record_at(to_victim, producer.tail) + 1, take(4));
        lie(record_at(to_victim, producer.tail), n);
        break;
    case 3: lie(word(!to_victim, HEAD), consumer.head + take(2)); break;
    case 4:
        n = take(2) % 3000;
        publish_part(n, take(1) * 16, 0);
        break;
    case 5:
        n = take(2) % 3000;
        publish_part(n, take(1) * 16, take(1) % 4);
        break;
    case 6:
        if (producer.begun && publish(CANCEL, 0, 0, NULL, 0)) {
            producer.begun = false;
            if (producer.with_files)
                producer.files_until = producer.tail;
        }
        break;
    case 7: producer.finished = publish(FINISH, 0, 0, NULL, 0) || producer.finished; break;
    case 8:
        for (n = take(1); n > 0 && consume(); n--) {
        }
        break;
    case 9: /* bells, and what is none */
        n = take(1);
        for (uint32_t i = 0; i < n % 32; i++)
            bytes[i] = (char)take(n & 0x20 ? 1 : 0);
        bells += n % 32;
        honest = honest && shared != NULL && !(n & 0xe0) && bells < MOST_BELLS;
        transmit(connection, bytes, n % 32, unfit, n >> 6);
        break;
    case 10: transmit(room, data, take(1), NULL, 0); break;
    case 11:
        drain(connection);
        if (room >= 0)
            drain(room);
        break;
    case 12: shutdown(connection, (int)(take(1) % 3)); break;
    case 13: shutdown(room >= 0 ? room : connection, (int)(take(1) % 3)); break;
    case 14: /* what is to be sent, without memory */
        n = take(2);
        n = n < producer.outbox_size ? n : (uint32_t)producer.outbox_size;
        honest = transmit(connection, producer.outbox, n, NULL, 0) && honest;
        producer.outbox_size -= n;
        memmove(producer.outbox, producer.outbox + n, producer.outbox_size);
        break;
    default: producer.pad = take(1); break;
    }
}

#endif
