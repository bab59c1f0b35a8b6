/* A hostile peer of a channel. The input is a program for both: what the peer writes to the shared memory and to the
 * connection, and what the library, the victim, is called to do. The victim never waits. What the peer does may also
 * happen in the middle of a call of the victim: before one of its system calls, or before it reads from the shared
 * memory. The peer is in channel_peer.h.
 *
 * In the victim, the shared memory lies between pages that cannot be accessed. The victim must write only what is its
 * own, and leave no descriptor, memory or mapping behind. While the peer keeps to the protocol the victim must find no
 * violation, and what it sends must be as the protocol says. Once it has found one, it must not go on. */
#define _GNU_SOURCE 1
#include "channel_peer.h"

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

static hello hello_of(uint32_t flags) { return new_hello(flags, (uint32_t)ring, PEER_LIMIT, PEER_HANDLES); }

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
