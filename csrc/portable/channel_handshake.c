/* The handshake of channels. The connecting end speaks first; the accepting end answers, perhaps with memory; the
 * connecting end says whether it uses that. Each step sends or receives some bytes, and can be continued. */

enum lipc__handshake_step {
    LIPC__SENDS_HELLO, /* the connecting end begins here */
    LIPC__GETS_ANSWER,
    LIPC__SENDS_CHOICE,
    LIPC__GETS_HELLO, /* the accepting end begins here */
    LIPC__SENDS_ANSWER,
    LIPC__GETS_CHOICE,
    LIPC__IS_OPEN
};

enum {
    LIPC__CHANNEL_VERSION = 1,
    LIPC__HELLO_LIMIT = 1024,
    LIPC__CHOICE_SIZE = 8,
    LIPC__ORDER = 0x01020304,
    /* flags */
    LIPC__HELLO_SHARES = 1,  /* the sender can share memory; in an answer: and here it is */
    LIPC__HELLO_BARRIER = 2, /* the sender can be interrupted for membarrier(2) */
    LIPC__HELLO_ANSWER = 4,
    LIPC__RINGS_AT = 4096 /* the offset of the rings in the memory */
};

static const char lipc__magic[8] = {'\x89', 'l', 'i', 'p', 'c', '\r', '\n', '\x1a'};

/* What both ends send first. It has no padding. */
typedef struct lipc__hello {
    char magic[8];
    uint32_t order;  /* LIPC__ORDER, in the byte order of the sender */
    uint32_t length; /* of all of it; later versions may add to it */
    uint16_t version_min, version_max;
    uint32_t flags;
    uint32_t ring_size;   /* wanted; in an answer with memory: as it is */
    uint32_t max_message; /* that the sender receives */
    uint32_t max_handles; /* that it takes with a message */
    char reserved[28];    /* 0; ignored */
} lipc__hello;

LIPC__STATIC_ASSERT(hello_is_packed, sizeof(lipc__hello) == LIPC__HELLO_SIZE);
LIPC__STATIC_ASSERT(words_fit, 2 * sizeof(lipc__direction) <= LIPC__RINGS_AT);

/* ----------------------------------------- The memory ------------------------------------------- */

#ifdef __GNUC__
static bool lipc__budget_take(lipc_channel_budget *budget, size_t size) {
    size_t used = __atomic_load_n(&budget->used, __ATOMIC_RELAXED);
    do {
        if (used > budget->limit || size > budget->limit - used)
            return false;
    } while (!__atomic_compare_exchange_n(&budget->used, &used, used + size, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

static void lipc__budget_give(lipc_channel_budget *budget, size_t size) {
    __atomic_fetch_sub(&budget->used, size, __ATOMIC_RELAXED);
}
#else /* Microsoft's compiler: Windows shares no memory yet */
static bool lipc__budget_take(lipc_channel_budget *budget, size_t size) {
    (void)budget, (void)size;
    return true;
}

static void lipc__budget_give(lipc_channel_budget *budget, size_t size) {
    (void)budget, (void)size;
}
#endif

static size_t lipc__memory_size(uint32_t ring_size) {
    return LIPC__RINGS_AT + 2 * (size_t)ring_size;
}

static void lipc__memory_release(lipc_channel *c) {
    if (c->memory != NULL)
        lipc__memory_unmap(c->memory, c->memory_size);
    if (c->charged)
        lipc__budget_give(c->options.budget, c->memory_size);
    c->memory = NULL;
    c->charged = false;
}

/* Closes the handles that the handshake still has. */
static void lipc__handshake_end(lipc_channel *c) {
    lipc__handshake *h = &c->handshake;
    for (size_t i = 0; i < h->handle_count; i++)
        lipc_close(h->handles[i]);
    h->handle_count = 0;
}

/* Makes memory, and the pair of handles with the bell for room. */
static int lipc__memory_make(lipc_channel *c) {
    lipc__handshake *h = &c->handshake;
    if (c->options.budget != NULL && !lipc__budget_take(c->options.budget, c->memory_size))
        return lipc__fault(LIPC_ENOMEM);
    c->charged = c->options.budget != NULL;
    int r = lipc__memory_create(c->memory_size, &h->handles[0], &c->memory);
    if (r < 0)
        return r;
    h->handle_count = 1;
    r = lipc_pair(LIPC_STREAM, &c->room, &h->handles[1]);
    if (r < 0)
        return r;
    h->handle_count = 2;
    return 0;
}

/* Takes memory that the peer made. */
static int lipc__memory_take(lipc_channel *c) {
    lipc__handshake *h = &c->handshake;
    if (h->handle_count != 2 || lipc_kind(h->handles[1]) != LIPC_STREAM)
        return lipc__fault(LIPC_EPROTO);
    int r = lipc__memory_map(h->handles[0], c->memory_size, &c->memory);
    if (r < 0)
        return r;
    c->room = h->handles[1];
    h->handle_count = 1;
    return 0;
}

/* Does without memory, after all, for that reason. Returns the reason if it is not to be done without. */
static int lipc__memory_refuse(lipc_channel *c, int reason) {
    lipc__handshake_end(c);
    lipc__memory_release(c);
    if (c->room != LIPC_INVALID_HANDLE)
        lipc_close(c->room);
    c->room = LIPC_INVALID_HANDLE;
    c->shared = false;
    return c->options.memory == LIPC_CHANNEL_REQUIRE ? reason : 0;
}

/* ------------------------------------------ The steps ------------------------------------------- */

static void lipc__hello_make(lipc_channel *c, uint32_t flags) {
    lipc__hello hello = {.order = LIPC__ORDER,
                         .length = sizeof hello,
                         .version_min = LIPC__CHANNEL_VERSION,
                         .version_max = LIPC__CHANNEL_VERSION,
                         .flags = flags | (c->handshake.barrier ? LIPC__HELLO_BARRIER : 0),
                         .ring_size = c->options.ring_size,
                         .max_message = c->options.max_message,
                         .max_handles = (uint32_t)c->options.max_handles};
    memcpy(hello.magic, lipc__magic, sizeof hello.magic);
    memcpy(c->handshake.bytes, &hello, sizeof hello);
}

/* Checks what has come of a hello so far. Returns how long it is, at least. */
static int lipc__hello_check(const lipc_channel *c) {
    const lipc__handshake *h = &c->handshake;
    lipc__hello hello;
    if (memcmp(h->bytes, lipc__magic, h->done < sizeof lipc__magic ? h->done : sizeof lipc__magic) != 0)
        return lipc__fault(LIPC_EPROTO);
    if (h->done < sizeof hello)
        return sizeof hello;
    memcpy(&hello, h->bytes, sizeof hello);
    if (hello.order == 0x04030201)
        return lipc__fault(LIPC_ENOTSUP);
    if (hello.order != LIPC__ORDER || hello.length < sizeof hello || hello.length > LIPC__HELLO_LIMIT ||
        hello.version_min > hello.version_max || hello.version_min == 0 ||
        hello.max_message > LIPC_CHANNEL_MESSAGE_MAX || hello.max_handles > LIPC_MESSAGE_HANDLES)
        return lipc__fault(LIPC_EPROTO);
    return (int)hello.length;
}

/* Reads the peer's hello. Returns 1 if there is a version that both know, 0 if not. */
static int lipc__hello_read(lipc_channel *c, lipc__hello *ret_hello) {
    lipc__handshake *h = &c->handshake;
    memcpy(ret_hello, h->bytes, sizeof *ret_hello);
    h->peer_min = ret_hello->version_min;
    h->peer_max = ret_hello->version_max;
    c->out.peer_limit = ret_hello->max_message;
    c->out.peer_handles = ret_hello->max_handles;
    c->membarrier = h->barrier && (ret_hello->flags & LIPC__HELLO_BARRIER);
    return h->peer_min <= LIPC__CHANNEL_VERSION && LIPC__CHANNEL_VERSION <= h->peer_max;
}

static bool lipc__is_ring_size(uint32_t size) {
    return size >= LIPC_CHANNEL_RING_MIN && size <= LIPC_CHANNEL_RING_MAX && (size & (size - 1)) == 0;
}

/* The accepting end: prepares the answer to a hello. An end that knows no common version still learns this one's. */
static int lipc__answer_make(lipc_channel *c) {
    lipc__hello hello;
    const bool known = lipc__hello_read(c, &hello), wants = c->options.memory != LIPC_CHANNEL_NEVER;
    if (known && ((hello.flags & LIPC__HELLO_ANSWER) || !lipc__is_ring_size(hello.ring_size)))
        return lipc__fault(LIPC_EPROTO);
    if (known && hello.ring_size < c->options.ring_size)
        c->options.ring_size = hello.ring_size;
    c->memory_size = lipc__memory_size(c->options.ring_size);
    int r = lipc__fault(LIPC_ENOTSUP);
    if (known && wants && (hello.flags & LIPC__HELLO_SHARES))
        r = lipc__memory_make(c);
    c->shared = r == 0;
    if (r < 0 && known)
        r = lipc__memory_refuse(c, r);
    if (r < 0 && known)
        return r;
    lipc__hello_make(c, LIPC__HELLO_ANSWER | (c->shared ? LIPC__HELLO_SHARES : 0));
    return 0;
}

/* The connecting end: reads the answer, and prepares what it says to that. */
static int lipc__choice_make(lipc_channel *c) {
    lipc__hello hello;
    if (!lipc__hello_read(c, &hello))
        return lipc__fault(LIPC_ENOTSUP);
    if (!(hello.flags & LIPC__HELLO_ANSWER))
        return lipc__fault(LIPC_EPROTO);
    int r = lipc__fault(LIPC_ENOTSUP);
    if (hello.flags & LIPC__HELLO_SHARES) {
        if (c->options.memory == LIPC_CHANNEL_NEVER || !lipc__is_ring_size(hello.ring_size) ||
            hello.ring_size > c->options.ring_size)
            return lipc__fault(LIPC_EPROTO);
        c->options.ring_size = hello.ring_size;
        c->memory_size = lipc__memory_size(hello.ring_size);
        r = c->handshake.lost ? lipc__fault(LIPC_EMFILE) : lipc__memory_take(c);
    }
    c->shared = r == 0;
    if (lipc_error_code(r) == LIPC_EPROTO)
        return r;
    if (r < 0)
        r = lipc__memory_refuse(c, r);
    const uint32_t choice[2] = {c->shared, 0};
    memcpy(c->handshake.bytes, choice, sizeof choice);
    lipc__handshake_end(c);
    return r;
}

/* The accepting end: reads whether the peer uses the memory. */
static int lipc__choice_read(lipc_channel *c) {
    uint32_t choice[2];
    memcpy(choice, c->handshake.bytes, sizeof choice);
    if (choice[0] > c->shared || choice[1] != 0)
        return lipc__fault(LIPC_EPROTO);
    return choice[0] == 0 ? lipc__memory_refuse(c, lipc__fault(LIPC_ENOTSUP)) : 0;
}

/* Sets both halves up. */
static int lipc__channel_ready(lipc_channel *c) {
    lipc__out *out = &c->out;
    lipc__in *in = &c->in;
    const uint32_t size = c->shared ? c->options.ring_size : LIPC__CHANNEL_BUFFER;
    out->sleeper.handle = c->shared ? c->room : c->connection;
    in->sleeper.handle = c->connection;
    out->sleeper.spin.limit_us = in->sleeper.spin.limit_us = (uint32_t)c->options.spin_us;
    in->own_limit = c->options.max_message;
    if (c->shared) {
        lipc__direction *words = (lipc__direction *)(void *)c->memory;
        char *rings = c->memory + LIPC__RINGS_AT;
        const bool accepts = c->options.accepting != 0; /* the first ring is the connecting end's to send */
        c->out_words = &words[accepts];
        c->in_words = &words[!accepts];
        out->ring = (lipc__producer){.ring = rings + (accepts ? size : 0), .shared = c->out_words, .capacity = size};
        in->ring = (lipc__consumer){.ring = rings + (accepts ? 0 : size), .shared = c->in_words, .capacity = size};
        out->sleeper.flag = &c->out_words->producer.word;
        in->sleeper.flag = &c->in_words->consumer.word;
    } else {
        out->buffer = SYS_ALLOCATE(malloc(LIPC__CHANNEL_BUFFER));
        in->buffer = SYS_ALLOCATE(malloc(LIPC__CHANNEL_BUFFER));
        if (out->buffer == NULL || in->buffer == NULL)
            return lipc__fault(LIPC_ENOMEM);
    }
    in->limit = lipc__record_limit(size);
    out->limit = in->limit; /* last: it shows that the channel is open */
    c->handshake.step = LIPC__IS_OPEN;
    return 0;
}

/* How many bytes the step sends in all; 0: it receives. */
static size_t lipc__handshake_sends(const lipc_channel *c) {
    switch (c->handshake.step) {
    case LIPC__SENDS_HELLO:
    case LIPC__SENDS_ANSWER: return LIPC__HELLO_SIZE;
    case LIPC__SENDS_CHOICE: return LIPC__CHOICE_SIZE;
    default: return 0;
    }
}

/* Sends the bytes of a step, with the handles. */
static int lipc__handshake_send(lipc_channel *c, int timeout_ms) {
    lipc__handshake *h = &c->handshake;
    const size_t size = lipc__handshake_sends(c);
    while (h->done < size) {
        const lipc_message with = {.handles = h->handles, .handle_count = h->handle_count};
        int64_t n = lipc__connection_send(c, h->bytes + h->done, size - h->done, h->handle_count > 0 ? &with : NULL,
                                          timeout_ms);
        if (n < 0)
            return (int)n;
        h->done += (size_t)n;
        lipc__handshake_end(c);
    }
    h->done = 0;
    return 0;
}

/* Finds room for the next bytes that the step receives. Returns how many; 0: it has them all, or it sends. What a later
 * version adds to a hello is passed over. */
static int lipc__handshake_room(lipc_channel *c, char **ret_data) {
    lipc__handshake *h = &c->handshake;
    if (lipc__handshake_sends(c) > 0)
        return 0;
    int needed = h->step == LIPC__GETS_CHOICE ? LIPC__CHOICE_SIZE : lipc__hello_check(c);
    if (needed < 0)
        return needed;
    const size_t left = (size_t)needed - h->done;
    const bool known = h->done < sizeof h->bytes;
    *ret_data = known ? h->bytes + h->done : c->unknown;
    return (int)(known || left < sizeof c->unknown ? left : sizeof c->unknown);
}

/* Receives the bytes of a step. */
static int lipc__handshake_receive(lipc_channel *c, int timeout_ms) {
    lipc__handshake *h = &c->handshake;
    for (;;) {
        char *data;
        int size = lipc__handshake_room(c, &data);
        if (size < 0)
            return size;
        if (size == 0)
            break;
        lipc_buffer buffer = {data, (size_t)size};
        lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1};
        m.handles = h->handle_count == 0 ? h->handles : NULL;
        m.handle_count = 0;
        m.handle_capacity = h->handle_count == 0 ? 2 : 0;
        int64_t n = lipc__connection_receive(c, &m, timeout_ms);
        if (lipc_error_code(n) == LIPC_EHANDLES) {
            h->lost = true;
            n = (int64_t)m.length;
        }
        if (n < 0)
            return (int)n;
        h->done += (size_t)n;
        if (m.handles != NULL)
            h->handle_count = m.handle_count;
    }
    h->done = 0;
    return 0;
}

/* Takes one step. */
static int lipc__handshake_go(lipc_channel *c, int timeout_ms) {
    lipc__handshake *h = &c->handshake;
    int r = 0;
    switch (h->step) {
    case LIPC__SENDS_HELLO: r = lipc__handshake_send(c, timeout_ms); break;
    case LIPC__GETS_ANSWER:
        r = lipc__handshake_receive(c, timeout_ms);
        if (r == 0)
            r = lipc__choice_make(c);
        break;
    case LIPC__SENDS_CHOICE:
        r = lipc__handshake_send(c, timeout_ms);
        return r < 0 ? r : lipc__channel_ready(c);
    case LIPC__GETS_HELLO:
        r = lipc__handshake_receive(c, timeout_ms);
        lipc__handshake_end(c); /* a client has no handles to send */
        if (r == 0)
            r = lipc__answer_make(c);
        break;
    case LIPC__SENDS_ANSWER:
        r = lipc__handshake_send(c, timeout_ms);
        if (r == 0 && (h->peer_min > LIPC__CHANNEL_VERSION || h->peer_max < LIPC__CHANNEL_VERSION))
            r = lipc__fault(LIPC_ENOTSUP);
        break;
    case LIPC__GETS_CHOICE:
        r = lipc__handshake_receive(c, timeout_ms);
        lipc__handshake_end(c);
        if (r == 0)
            r = lipc__choice_read(c);
        return r < 0 ? r : lipc__channel_ready(c);
    default: return 0;
    }
    h->step += r == 0;
    return r;
}

int lipc_channel_handshake(lipc_channel *channel, int timeout_ms) {
    lipc__deadline deadline = lipc__patience_of(timeout_ms).deadline;
    while (channel->handshake.step != LIPC__IS_OPEN) {
        int r = lipc__handshake_go(channel, 0);
        if (lipc_error_code(r) == LIPC_EAGAIN) {
            int left = lipc__time_left(&deadline);
            if (left < -1)
                return left;
            r = lipc__handshake_go(channel, left);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* Checks the options, and puts the defaults in. */
static int lipc__channel_options(const lipc_channel_options *options, lipc_channel_options *ret_options) {
    lipc_channel_options o;
    int r = lipc__options(&o, sizeof o, options);
    if (r < 0)
        return r;
    if (o.accepting < 0 || o.accepting > 1 || o.memory < LIPC_CHANNEL_PREFER || o.memory > LIPC_CHANNEL_NEVER ||
        o.ring_size > LIPC_CHANNEL_RING_MAX || o.max_message > LIPC_CHANNEL_MESSAGE_MAX || o.spin_us < -1 ||
        o.max_handles < -1 || o.max_handles > LIPC_MESSAGE_HANDLES)
        return lipc__fault(LIPC_EINVAL);
    if (o.memory == LIPC_CHANNEL_REQUIRE && !lipc__memory_available())
        return lipc__fault(LIPC_ENOTSUP);
    uint32_t ring_size = LIPC_CHANNEL_RING_MIN, wanted = o.ring_size != 0 ? o.ring_size : LIPC_CHANNEL_RING_DEFAULT;
    while (ring_size < wanted)
        ring_size *= 2;
    o.ring_size = ring_size;
    if (o.max_message == 0)
        o.max_message = LIPC_CHANNEL_MESSAGE_DEFAULT;
    if (o.spin_us <= 0)
        o.spin_us = o.spin_us == 0 ? LIPC_CHANNEL_SPIN_DEFAULT : 0;
    if (o.max_handles <= 0)
        o.max_handles = o.max_handles == 0 ? LIPC_CHANNEL_HANDLES_DEFAULT : 0;
    if (!lipc__memory_available())
        o.memory = LIPC_CHANNEL_NEVER;
    *ret_options = o;
    return 0;
}

/* Creates a channel whose options were checked. */
static int lipc__channel_create(lipc_handle connection, const lipc_channel_options *options,
                                lipc_channel **ret_channel) {
    lipc_channel *c = SYS_ALLOCATE(calloc(1, sizeof *c + (size_t)options->max_handles * sizeof(lipc_handle)));
    if (c == NULL)
        return lipc__fault(LIPC_ENOMEM);
    c->in.files.handles = (lipc_handle *)(void *)(c + 1);
    const bool wants = options->memory != LIPC_CHANNEL_NEVER;
    c->connection = connection;
    c->room = LIPC_INVALID_HANDLE;
    c->options = *options;
    c->handshake.step = options->accepting ? LIPC__GETS_HELLO : LIPC__SENDS_HELLO;
    c->handshake.barrier = wants && lipc__membarrier_register();
    lipc__hello_make(c, wants ? LIPC__HELLO_SHARES : 0);
    *ret_channel = c;
    return 0;
}

int lipc_channel_start(lipc_handle connection, const lipc_channel_options *options, lipc_channel **ret_channel) {
    lipc_channel_options o;
    int r = lipc__channel_options(options, &o);
    if (r < 0)
        return r;
    int kind = lipc_kind(connection);
    if (kind != LIPC_STREAM)
        return kind < 0 ? kind : lipc__fault(LIPC_ENOTSOCK);
    return lipc__channel_create(connection, &o, ret_channel);
}

/* Frees a channel, but leaves the connection open. */
static void lipc__channel_abandon(lipc_channel *c) {
    c->connection = LIPC_INVALID_HANDLE;
    lipc_channel_close(c);
}

int lipc_channel_open(lipc_handle connection, const lipc_channel_options *options, int timeout_ms,
                      lipc_channel **ret_channel) {
    lipc_channel *c;
    int r = lipc_channel_start(connection, options, &c);
    if (r < 0)
        return r;
    r = lipc_channel_handshake(c, timeout_ms);
    if (r < 0)
        lipc__channel_abandon(c);
    else
        *ret_channel = c;
    return r;
}

int lipc_channel_pair(const lipc_channel_options *options, lipc_channel **ret_a, lipc_channel **ret_b) {
    lipc_channel *ends[2] = {NULL, NULL};
    lipc_handle handles[2];
    lipc_channel_options o;
    int r = lipc__options(&o, sizeof o, options);
    if (r == 0)
        r = lipc_pair(LIPC_STREAM, &handles[0], &handles[1]);
    if (r < 0)
        return r;
    o.size = sizeof o;
    for (int i = 0; i < 2 && r == 0; i++) {
        o.accepting = i;
        r = lipc_channel_start(handles[i], &o, &ends[i]);
        if (r < 0)
            lipc_close(handles[i]);
    }
    if (r < 0 && ends[0] == NULL)
        lipc_close(handles[1]);
    /* Each waits for the other, and goes on when that has gone as far as it can. */
    enum { TURNS = 8 };
    for (int turn = 0; turn < TURNS && r == 0; turn++) {
        r = lipc_channel_handshake(ends[turn % 2], 0);
        if (r == 0 && turn > 0 && ends[0]->handshake.step == ends[1]->handshake.step)
            break;
        if (lipc_error_code(r) == LIPC_EAGAIN && turn < TURNS - 1)
            r = 0;
    }
    if (r < 0) {
        lipc_channel_close(ends[0]);
        lipc_channel_close(ends[1]);
        return r;
    }
    *ret_a = ends[0];
    *ret_b = ends[1];
    return 0;
}

void lipc_channel_version(const lipc_channel *channel, lipc_channel_versions *ret_versions) {
    *ret_versions = (lipc_channel_versions){.own_min = LIPC__CHANNEL_VERSION,
                                            .own_max = LIPC__CHANNEL_VERSION,
                                            .peer_min = channel->handshake.peer_min,
                                            .peer_max = channel->handshake.peer_max};
}
