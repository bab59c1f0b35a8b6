/* A hostile peer of a channel. The input is a program for both: what the peer writes to the shared memory and to the
 * connection, and what the library, the victim, is called to do. The victim never waits. What the peer does may also
 * happen in the middle of a call of the victim: before one of its system calls, or before it reads from the shared
 * memory. The peer here is written after docs/channel-protocol.md, without the library's help.
 *
 * In the victim, the shared memory lies between pages that cannot be accessed. The victim must write only what is its
 * own, and leave no descriptor, memory or mapping behind. While the peer keeps to the protocol the victim must find no
 * violation, and what it sends must be as the protocol says. Once it has found one, it must not go on. */
#define _GNU_SOURCE 1
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

#include "lipc_channel.h"

#define CHECK(condition) ((condition) ? (void)0 : __builtin_trap())
#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
    HELLO = 64, SHARES = 1, BARRIER = 2, ANSWER = 4, /* of the handshake */
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

/* ------------------------------------------- The victim ----------------------------------------- */

static char *arena;                 /* that the victim's mapping lies in */
static bool maps;                   /* whether it is the victim that maps */
static size_t mapped;               /* how much it has mapped */
static bool is_dead;                /* it has found a violation */
static const void *lent;            /* the message that it has lent, or NULL */
static size_t lent_size;
static uint32_t until_act;          /* moments until the peer acts within a call; 0: it does not */
static char before[WORDS + LARGEST_RING]; /* the words, and the ring that the victim must not write to */

/* The linker calls this in the place of mmap(2): --wrap=mmap64. */
void *__real_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (!maps || flags != MAP_SHARED)
        return __real_mmap64(address, size, protection, flags, fd, offset);
    CHECK(address == NULL && size <= WORDS + 2 * LARGEST_RING && mapped == 0);
    void *at = __real_mmap64(arena + GUARD, size, protection, flags | MAP_FIXED, fd, offset);
    mapped = at != MAP_FAILED ? size : 0;
    return at;
}

static void reserve_arena(void) {
    arena = __real_mmap64(arena, WORDS + 2 * LARGEST_RING + 2 * GUARD, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (arena != NULL ? MAP_FIXED : 0), -1, 0);
    CHECK(arena != MAP_FAILED);
}

static void remember(void) {
    if (shared == NULL)
        return;
    memcpy(before, shared, WORDS);
    memcpy(before + WORDS, ring_of(to_victim), ring);
}

/* Checks that the victim wrote nothing that is the peer's alone. */
static void check_written(void) {
    static const struct {
        int direction, index; /* direction 0: in which the victim receives */
    } own[] = {{0, HEAD}, {0, CONSUMER}, {0, PRODUCER}, {1, CONSUMER}, {1, PRODUCER}, {1, PROCESSOR}};
    if (shared == NULL)
        return;
    for (size_t i = 0; i < COUNT(own); i++) {
        uint32_t *at = word(own[i].direction ^ to_victim, own[i].index);
        memcpy(before + ((char *)at - shared), at, sizeof *at);
    }
    CHECK(memcmp(before, shared, WORDS) == 0);
    CHECK(memcmp(before + WORDS, ring_of(to_victim), ring) == 0);
}

/* A moment within a call of the victim. */
__attribute__((no_sanitize("coverage"))) static void moment(void) {
    if (until_act == 0 || --until_act > 0)
        return;
    check_written();
    peer_acts(take(1));
    remember();
}

/* The seam, csrc/sys.h. */
int lipc_fault_injected(const char *call);
int lipc_fault_injected(const char *call) {
    CHECK(strncmp(call, "poll", 4) != 0 && strncmp(call, "ppoll", 5) != 0); /* nobody waits */
    moment();
    return 0;
}

/* The compiler puts these before all that the victim reads: -fsanitize-coverage=trace-loads. */
#define BEFORE_LOAD(size, type) \
    void __sanitizer_cov_load##size(type *address); \
    __attribute__((no_sanitize("coverage"))) void __sanitizer_cov_load##size(type *address) { \
        const char *at = (const char *)address; \
        if (until_act > 0 && at >= arena && at < arena + GUARD + WORDS + 2 * LARGEST_RING) \
            moment(); \
    }
BEFORE_LOAD(1, uint8_t)
BEFORE_LOAD(2, uint16_t)
BEFORE_LOAD(4, uint32_t)
BEFORE_LOAD(8, uint64_t)
BEFORE_LOAD(16, __uint128_t)

/* Reads, or writes, all of what the victim lends. It must be the victim's own memory. */
static void touch(void *lent, size_t size, bool receives) {
    const char *at = lent, *rings = arena + GUARD + WORDS;
    if (at >= arena && at < rings + 2 * LARGEST_RING) {
        const char *own = rings + (size_t)(receives ? to_victim : !to_victim) * ring;
        CHECK(at >= own + 8 && at + size <= own + ring);
    }
    char *copy = malloc(size + 1); /* the sanitizer sees what is read beyond other memory */
    CHECK(copy != NULL);
    if (receives)
        memcpy(copy, lent, size);
    else
        memcpy(lent, data, size);
    free(copy);
}

static int code_of(int64_t result) {
    return lipc_error_code(result);
}

/* Receives with one of the functions that take a buffer. It has exactly the size that they are told. */
static int64_t receive(uint32_t how, int timeout_ms) {
    size_t size = take(2) % (VICTIM_LIMIT + 100);
    char *room_for = malloc(size + 1), *end = room_for + size;
    CHECK(room_for != NULL);
    memset(end, 'e', 1);
    int64_t n;
    if (how == 0)
        n = lipc_channel_receive(victim, room_for, size, timeout_ms);
    else if (how == 1)
        n = lipc_channel_receive_whole(victim, room_for, size, timeout_ms);
    else
        n = lipc_channel_read(victim, room_for, size, timeout_ms);
    CHECK(n <= (int64_t)size && *end == 'e');
    free(room_for);
    return n;
}

static int64_t receive_batch(int timeout_ms) {
    char room_for[3][1000];
    lipc_buffer messages[3];
    for (size_t i = 0; i < COUNT(messages); i++)
        messages[i] = (lipc_buffer){room_for[i], sizeof room_for[i]};
    int64_t n = lipc_channel_receive_batch(victim, messages, COUNT(messages), timeout_ms);
    CHECK(n <= (int64_t)COUNT(messages));
    for (int64_t i = 0; i < n; i++)
        CHECK(messages[i].size <= VICTIM_LIMIT && (messages[i].size <= sizeof *room_for || i == n - 1));
    return n;
}

static int64_t receive_message(int timeout_ms) {
    static char room_for[VICTIM_LIMIT];
    const size_t capacity = take(1) % 4;
    lipc_handle handles[4];
    lipc_credentials credentials;
    lipc_buffer buffers[] = {{room_for, 10}, {room_for + 10, take(2) % (VICTIM_LIMIT - 10)}};
    lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = 2, .credentials = &credentials};
    m.handles = handles;
    m.handle_capacity = capacity;
    int64_t n = lipc_channel_receive_message(victim, &m, timeout_ms);
    if (n >= 0 || code_of(n) == LIPC_ETRUNCATED) {
        CHECK(m.length <= 10 + buffers[1].size && m.handle_count <= capacity);
        for (size_t i = 0; i < m.handle_count; i++)
            CHECK(lipc_close(handles[i]) == 0);
    }
    return n;
}

static int64_t send_message(int timeout_ms) {
    const lipc_handle files[] = {unfit[0], unfit[1]};
    lipc_buffer buffer = {data, take(2) % (PEER_LIMIT + 100)};
    lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1};
    m.handles = (lipc_handle *)(uintptr_t)files;
    m.handle_count = take(1) % 3;
    return lipc_channel_send_message(victim, &m, timeout_ms);
}

/* What the victim is called to do. */
static void victim_acts(uint32_t action) {
    const int timeout_ms = action & 0x20 ? LIPC_CHANNEL_ARM : 0;
    const void *data_lent;
    char to_peek[1000];
    void *to_fill;
    int64_t n = 0, m;
    bool sends = true;
    remember();
    if (lent != NULL)
        touch((void *)(uintptr_t)lent, lent_size, true);
    switch (action % 20) {
    case 0:
    case 1:
    case 2:
        sends = false;
        n = receive(action % 20, timeout_ms);
        break;
    case 3:
        sends = false;
        n = lipc_channel_message_size(victim, timeout_ms);
        CHECK(n <= VICTIM_LIMIT);
        break;
    case 4:
        sends = false;
        n = receive_batch(timeout_ms);
        break;
    case 5:
        sends = false;
        n = receive_message(timeout_ms);
        break;
    case 6:
        sends = false;
        n = lipc_channel_next(victim, timeout_ms, &data_lent);
        CHECK(n <= VICTIM_LIMIT && (lent == NULL || (data_lent == lent && n == (int64_t)lent_size)));
        lent = n >= 0 ? data_lent : NULL;
        lent_size = n >= 0 ? (size_t)n : 0;
        break;
    case 7:
        sends = false;
        n = lipc_channel_peek(victim, to_peek, sizeof to_peek, timeout_ms);
        CHECK(n <= (int64_t)sizeof to_peek);
        break;
    case 8:
        lipc_channel_release(victim);
        lent = NULL;
        return;
    case 9:
    case 10: n = lipc_channel_send(victim, data, take(2) % (PEER_LIMIT + 100), timeout_ms); break;
    case 11: n = send_message(timeout_ms); break;
    case 12: {
        const lipc_buffer messages[] = {{data, take(1)}, {data, take(2) % 3000}, {data, take(1)}};
        n = lipc_channel_send_batch(victim, messages, COUNT(messages), timeout_ms);
        break;
    }
    case 13:
        n = lipc_channel_reserve(victim, take(2) % LARGEST_RING, timeout_ms, &to_fill);
        CHECK(n <= lipc_channel_reserve_limit(victim));
        if (n >= 0)
            touch(to_fill, (size_t)n, false);
        break;
    case 14:
        n = lipc_channel_commit(victim, take(2) % 3000, timeout_ms);
        if (code_of(n) == LIPC_EINVAL)
            return;
        break;
    case 15: n = lipc_channel_write(victim, data, take(2) % sizeof data, timeout_ms); break;
    case 16:
        lipc_channel_cancel(victim);
        n = lipc_channel_flush(victim, timeout_ms);
        break;
    case 17:
        sends = take(1) % 2;
        n = lipc_channel_prepare(victim, sends ? LIPC_WRITE : LIPC_READ, sends ? take(2) % 5000 : 0);
        break;
    case 18: n = lipc_channel_shutdown(victim, 1 + (int)(take(1) % 3), timeout_ms); break;
    default: /* what most callers do */
        sends = false;
        n = lipc_channel_receive(victim, data, VICTIM_LIMIT, timeout_ms);
        m = lipc_channel_send(victim, data, n > 0 ? (size_t)n : 1, timeout_ms);
        n = code_of(m) == LIPC_EPROTO ? m : n;
    }
    check_written();
    CHECK(n >= 0 || strcmp(lipc_error_name(n), "unknown") != 0);
    CHECK(code_of(n) != LIPC_EPROTO || !honest);
    /* lipc_channel_next() returns the same message, and reading nothing 0. */
    CHECK(lent == NULL || sends || n == (int64_t)lent_size || n == 0 || code_of(n) == LIPC_EINVAL ||
          code_of(n) == LIPC_EPROTO);
    /* A message that was read before may still be received. */
    CHECK(!(is_dead && sends) || code_of(n) == LIPC_EPROTO || code_of(n) == LIPC_EMSGSIZE ||
          code_of(n) == LIPC_ETOOMANY);
    is_dead = is_dead || code_of(n) == LIPC_EPROTO;
}

/* ------------------------------------------- The handshake -------------------------------------- */

typedef struct hello {
    char magic[8];
    uint32_t order, length;
    uint16_t version_min, version_max;
    uint32_t flags, ring_size, max_message, max_handles;
    char reserved[28];
} hello;

static hello hello_of(uint32_t flags) {
    hello h = {{0}, 0x01020304, sizeof h, 1, 1, flags, (uint32_t)ring, PEER_LIMIT, PEER_HANDLES, {0}};
    memcpy(h.magic, "\x89lipc\r\n\x1a", sizeof h.magic);
    return h;
}

static void start(bool accepting, int memory) {
    lipc_handle ends[2];
    lipc_channel_options o = {.size = sizeof o, .accepting = accepting, .memory = memory, .spin_us = -1};
    o.ring_size = (uint32_t)ring;
    o.max_message = VICTIM_LIMIT;
    o.max_handles = VICTIM_HANDLES;
    CHECK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]) == 0);
    CHECK(lipc_channel_start(ends[0], &o, &victim) == 0);
    connection = (int)ends[1];
}

/* Makes a pair of sockets, one of which is the peer's end of the bell for room. Returns the other one. */
static int make_room(void) {
    lipc_handle ends[2];
    CHECK(lipc_pair(LIPC_STREAM, &ends[0], &ends[1]) == 0);
    room = (int)ends[0];
    spare = (int)ends[1];
    return spare;
}

static int memory_of_ring(void) {
    return memories[ring == 4096 ? 0 : ring == 8192 ? 1 : 2];
}

/* Opens the victim with a peer that keeps to the protocol. */
static void open_victim(bool accepting, bool by_memory, bool barrier) {
    const uint32_t flags = (by_memory ? SHARES : 0) | (barrier ? BARRIER : 0), choice[2] = {by_memory, 0};
    hello h = hello_of(accepting ? flags : flags | ANSWER), answer;
    int memory = memory_of_ring(), got[2] = {-1, -1};
    start(accepting, by_memory ? LIPC_CHANNEL_REQUIRE : LIPC_CHANNEL_NEVER);
    if (accepting || !by_memory)
        CHECK(transmit(connection, &h, sizeof h, NULL, 0));
    else
        CHECK(transmit(connection, &h, sizeof h, (int[]){memory, make_room()}, 2));
    CHECK(!accepting || transmit(connection, choice, sizeof choice, NULL, 0));
    maps = true;
    CHECK(lipc_channel_handshake(victim, 0) == 0 && lipc_channel_shared(victim) == by_memory);
    maps = false;
    CHECK(take_in(connection, &answer, sizeof answer, got) == sizeof answer);
    if (!accepting)
        CHECK(take_in(connection, &answer, sizeof choice, NULL) == sizeof choice);
    CHECK((mapped > 0) == by_memory);
    if (!by_memory)
        return;
    if (accepting) {
        memory = got[0];
        room = got[1];
    }
    to_victim = !accepting;
    shared = mmap(NULL, WORDS + 2 * ring, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CHECK(shared != MAP_FAILED);
    if (accepting)
        close(memory);
    else
        memset(shared, 0, WORDS + 2 * ring);
}

/* Sends bytes, with descriptors: what an accepting end has to send, or any. */
static void transmit_with(const void *bytes, size_t size) {
    int descriptors[4] = {memory_of_ring(), -1};
    const uint32_t how = take(1);
    size_t count = how % 4;
    if (count > 0)
        descriptors[1] = room >= 0 ? spare : make_room();
    for (size_t i = 0; how & 0x80 && i < count; i++) {
        uint32_t kind = take(1) % (COUNT(unfit) + 2);
        descriptors[i] = kind < COUNT(unfit) ? unfit[kind] : kind == COUNT(unfit) ? spare : memory_of_ring();
    }
    count = how & 0x80 || count == 0 ? count : 2;
    sent_memory = sent_memory || (count > 0 && descriptors[0] == memory_of_ring());
    transmit(connection, bytes, size, descriptors, count);
}

/* A handshake with a peer that sends anything. */
static void shake_hands(bool accepting) {
    for (int r = 0; left > 0 && (r == 0 || code_of(r) == LIPC_EAGAIN);) {
        char bytes[128];
        size_t size = 0;
        hello h = hello_of(SHARES | (accepting ? 0 : ANSWER));
        const uint32_t action = take(1);
        switch (action % 6) {
        case 0: /* anything */
            for (size_t most = take(1) % sizeof bytes; size < most && left > 0;)
                bytes[size++] = (char)take(1);
            transmit_with(bytes, size);
            break;
        case 1:
        case 2: /* a hello in which some bytes are wrong, or a part of one */
            for (uint32_t wrong = take(1) % 5; wrong > 0; wrong--) {
                uint32_t at = take(1) % sizeof h;
                ((char *)&h)[at] ^= (char)take(1);
            }
            transmit_with(&h, action % 6 == 1 ? sizeof h : take(1) % sizeof h);
            break;
        case 3: /* a choice */
            transmit(connection, (uint32_t[]){take(1), action & 0x80 ? take(1) : 0}, 8, NULL, 0);
            break;
        case 4: shutdown(connection, (int)(take(1) % 3)); break;
        default: drain(connection);
        }
        maps = true;
        r = lipc_channel_handshake(victim, 0);
        maps = false;
        CHECK(r <= 0 && strcmp(lipc_error_name(r), "unknown") != 0);
        CHECK(accepting || mapped == 0 || sent_memory);
        if (r == 0) {
            lipc_channel_receive(victim, bytes, sizeof bytes, 0);
            lipc_channel_send(victim, bytes, sizeof bytes, 0);
        }
    }
}

/* -------------------------------------------- Running ------------------------------------------- */

static size_t open_descriptors(void) {
    struct pollfd all[128];
    size_t count = 0;
    for (size_t i = 0; i < COUNT(all); i++)
        all[i] = (struct pollfd){.fd = (int)i};
    CHECK(poll(all, COUNT(all), 0) >= 0);
    for (size_t i = 0; i < COUNT(all); i++)
        count += !(all[i].revents & POLLNVAL);
    return count;
}

static void close_all(int *const *descriptors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (*descriptors[i] >= 0)
            close(*descriptors[i]);
        *descriptors[i] = -1;
    }
}

static int memory_of(size_t size, int seals) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && (seals == 0 || fcntl(fd, F_ADD_SEALS, seals) == 0));
    return fd;
}

static void set_up(void) {
    const int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;
    const size_t size = WORDS + 2 * 4096;
    int ends[2];
    lipc_handle datagrams[2];
    reserve_arena();
    for (size_t i = 0; i < COUNT(memories); i++)
        memories[i] = memory_of(WORDS + ((size_t)8192 << i), size_seals);
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && lipc_pair(LIPC_DATAGRAM, &datagrams[0], &datagrams[1]) == 0);
    unfit[0] = ends[0];
    unfit[1] = (int)datagrams[0];
    unfit[2] = memory_of(size, F_SEAL_SHRINK);
    unfit[3] = memory_of(size + 4096, size_seals);
    unfit[4] = memory_of(size, size_seals | F_SEAL_WRITE);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)i;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (arena == NULL)
        set_up();
    const size_t descriptors = open_descriptors();
    input = bytes;
    left = size;
    until_act = bells = 0;
    memset(&producer, 0, sizeof producer);
    memset(&consumer, 0, sizeof consumer);
    /* The first byte: who accepts, whether memory is shared, what is fuzzed, and the size of the ring. */
    const uint32_t how = take(1);
    const bool accepting = how & 1, by_memory = how & 2, handshake = how & 4;
    ring = (size_t)4096 << (how >> 4) % 3;
    honest = true;
    is_dead = sent_memory = false;
    lent = NULL;
    if (handshake) {
        start(accepting, how & 8 ? LIPC_CHANNEL_REQUIRE : by_memory ? LIPC_CHANNEL_PREFER : LIPC_CHANNEL_NEVER);
        shake_hands(accepting);
    } else {
        open_victim(accepting, by_memory, how & 8);
    }
    while (!handshake && left > 0) { /* an action of the peer or of the victim; or when the peer acts within the next */
        uint32_t action = take(1);
        if (action & 0x80) {
            until_act = 1 + (action & 0x3f);
            action = take(1);
            victim_acts(action & 0x3f);
            until_act = 0;
        } else if (action & 0x40) {
            victim_acts(action & 0x3f);
        } else {
            peer_acts(action & 0x3f);
        }
    }
    lipc_channel_close(victim);
    if (mapped > 0) {
        unsigned char resident[(WORDS + 2 * LARGEST_RING) / 4096];
        CHECK(mincore(arena + GUARD, 4096, resident) < 0 && errno == ENOMEM);
        CHECK(mincore(arena + GUARD + mapped - 4096, 4096, resident) < 0 && errno == ENOMEM);
        reserve_arena();
        mapped = 0;
    }
    if (shared != NULL)
        CHECK(munmap(shared, WORDS + 2 * ring) == 0);
    shared = NULL;
    close_all((int *const[]){&connection, &room, &spare}, 3);
    CHECK(open_descriptors() == descriptors);
    return 0;
}
