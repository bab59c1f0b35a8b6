/* The ring of one direction of a channel, in shared memory. There are no system calls here. docs/channel-protocol.md
 * describes the protocol.
 *
 * The peer can write to all of the shared memory at any time. So a side keeps its own state in its own memory, and
 * reads a shared word only once: into a local variable, which it checks before it uses it. */

/* ---------------------------------------- Shared words ------------------------------------------ */

#ifdef __GNUC__
static uint32_t lipc__load(const uint32_t *word) {
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static uint32_t lipc__load_acquire(const uint32_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void lipc__store(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void lipc__store_release(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Puts value in the place of expected. Returns false if something else was there. */
static bool lipc__replace(uint32_t *word, uint32_t expected, uint32_t value) {
    return __atomic_compare_exchange_n(word, &expected, value, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Orders all accesses before it before all accesses after it. The thread sanitizer does not know it, but needs it only
 * for sleeping, not for the data. */
static void lipc__fence(void) {
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#pragma GCC diagnostic pop
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* The same for the compiler alone. */
static void lipc__fence_compiler(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Fetches a line of the cache for stores to come. */
static void lipc__prefetch(const uint32_t *word) {
#ifdef __x86_64__ /* compilers use it only if told to, but all processors know it, if only as no operation */
    __asm__ volatile("prefetchw %0" : : "m"(*word));
#else
    __builtin_prefetch(word, 1);
#endif
}
#else /* Microsoft's compiler. Its volatile accesses may lack order on Arm, hence the barriers. */
static uint32_t lipc__load(const uint32_t *word) {
    return *(const volatile uint32_t *)word;
}

static uint32_t lipc__load_acquire(const uint32_t *word) {
    uint32_t value = *(const volatile uint32_t *)word;
    MemoryBarrier();
    return value;
}

static void lipc__store(uint32_t *word, uint32_t value) {
    *(volatile uint32_t *)word = value;
}

static void lipc__store_release(uint32_t *word, uint32_t value) {
    MemoryBarrier();
    *(volatile uint32_t *)word = value;
}

static bool lipc__replace(uint32_t *word, uint32_t expected, uint32_t value) {
    return InterlockedCompareExchange((volatile LONG *)word, (LONG)value, (LONG)expected) == (LONG)expected;
}

static void lipc__fence(void) {
    MemoryBarrier();
}

static void lipc__fence_compiler(void) {
    MemoryBarrier();
}

static void lipc__prefetch(const uint32_t *word) {
    (void)word;
}
#endif

/* --------------------------------------- What is in the ring ------------------------------------ */

/* A word on lines of the cache of its own. Processors fetch lines of 64 bytes in pairs. */
typedef struct lipc__line {
    uint32_t word;
    uint32_t unused[31];
} lipc__line;

/* The words of a direction, besides its ring. */
typedef struct lipc__direction {
    lipc__line head;      /* the consumer's: where it is */
    lipc__line consumer;  /* whether the consumer waits for a record: enum lipc__waits */
    lipc__line producer;  /* whether the producer waits for room */
    lipc__line processor; /* the producer's process runs there, plus 1; 0: not known */
} lipc__direction;

enum lipc__waits {
    LIPC__AWAKE = 0,
    LIPC__WAITS = 1,
    LIPC__GONE = 2 /* it consumes no more */
};

/* A record begins with a header of two words, at a multiple of 8 bytes. The first word has the kind in its upper 3 bits
 * and the length of the payload in the others. It is published last. The second word has the size of the whole message,
 * and in its highest bit whether files travel with it; of a pad it has the length. */
enum lipc__record_kind {
    LIPC__NONE = 0,     /* nothing was published here yet */
    LIPC__MESSAGE = 1,  /* a message, or the last part of one */
    LIPC__FRAGMENT = 2, /* a part of a message, of which more follows */
    LIPC__PAD = 3,      /* nothing: the next record follows it */
    LIPC__FINISH = 4,   /* no more records follow */
    LIPC__CANCEL = 5    /* the parts before belong to a message that was given up */
};

enum {
    LIPC__KIND_SHIFT = 29,
    LIPC__RECORD_HEADER = 8,
    LIPC__RING_PAGE = 4096
};
#define LIPC__LENGTH_MASK ((UINT32_C(1) << LIPC__KIND_SHIFT) - 1)
#define LIPC__WITH_FILES (UINT32_C(1) << 31)

/* A record, as far as it was read and checked. */
typedef struct lipc__ring_record {
    uint32_t kind, length;
    uint32_t total; /* the size of its message */
    bool files;
    const char *payload;
} lipc__ring_record;

static uint32_t lipc__record_size(uint32_t length) {
    return LIPC__RECORD_HEADER + ((length + 7) & ~UINT32_C(7));
}

/* The longest payload of a record. Even with a pad before it, such a record fits into an empty ring. */
static uint32_t lipc__record_limit(uint32_t capacity) {
    return capacity / 2 - 16;
}

/* Reads the second word into a record whose first word is header, and checks both as far as they concern this record
 * alone. */
static bool lipc__record_of(uint32_t header, uint32_t second, uint32_t limit, lipc__ring_record *ret_record) {
    lipc__ring_record r = {.kind = header >> LIPC__KIND_SHIFT,
                      .length = header & LIPC__LENGTH_MASK,
                      .total = second & ~LIPC__WITH_FILES,
                      .files = (second & LIPC__WITH_FILES) != 0};
    *ret_record = r;
    switch (r.kind) {
    case LIPC__MESSAGE:
    case LIPC__FRAGMENT: return r.length <= limit && r.length <= r.total;
    case LIPC__FINISH:
    case LIPC__CANCEL: return r.length == 0 && second == 0;
    default: return false;
    }
}

/* ------------------------------------------- Producing ------------------------------------------ */

/* Positions count bytes modulo 2^32. A position modulo the capacity is an offset into the ring. */
typedef struct lipc__producer {
    char *ring;
    lipc__direction *shared;
    uint32_t capacity;
    uint32_t tail; /* where the next record goes. Its header is 0 there */
    uint32_t head; /* of the consumer, as far as it is known */
    /* Where the space in use begins. It is head, except after a restart, see lipc__ring_restart(): then it is the
     * position that the producer went on to, and all space before it is free but for the pad's header at head. */
    uint32_t base;
    uint32_t at, next_base; /* what was reserved: where the record goes, and base from then on */
} lipc__producer;

static uint32_t *lipc__word_at(char *ring, uint32_t capacity, uint32_t position) {
    return (uint32_t *)(void *)(ring + (position & (capacity - 1)));
}

/* Looks where the consumer is. Returns false if that cannot be. */
static bool lipc__ring_look(lipc__producer *p) {
    uint32_t head = lipc__load_acquire(&p->shared->head.word), moved = head - p->head;
    if (moved == 0)
        return true;
    if (moved > p->tail - p->head || moved < p->base - p->head)
        return false;
    p->head = p->base = head;
    return true;
}

/* Finds a place for a record of size bytes, header included, and for the next header, in the space that is known to be
 * free. */
static bool lipc__ring_place(lipc__producer *p, uint32_t size) {
    const uint32_t offset = p->tail & (p->capacity - 1), hole = p->head & (p->capacity - 1);
    uint32_t skip = 0;
    if (p->base != p->head && offset < hole && offset + size + LIPC__RECORD_HEADER > hole)
        skip = hole + LIPC__RECORD_HEADER - offset; /* the pad's header is still to be read there */
    if (offset + skip + size > p->capacity) {
        if (skip > 0)
            return false;
        skip = p->capacity - offset;
    }
    if (p->tail - p->base + skip + size + LIPC__RECORD_HEADER > p->capacity)
        return false;
    p->at = p->tail + skip;
    p->next_base = p->base;
    return true;
}

/* Goes back to the ring's beginning if the ring is empty and the record would touch another page. So two ends that wait
 * for one another's messages use the first page alone. */
static bool lipc__ring_restart(lipc__producer *p, uint32_t size) {
    const uint32_t offset = p->tail & (p->capacity - 1), end = size + LIPC__RECORD_HEADER;
    if (p->head != p->tail || p->base != p->head || offset < end)
        return false;
    p->at = p->next_base = p->tail + (p->capacity - offset);
    return true;
}

/* Finds room for a record with that payload. Returns 1, 0 if there is none, or LIPC_EPROTO. */
static int lipc__ring_reserve(lipc__producer *p, uint32_t length, char **ret_payload) {
    const uint32_t size = lipc__record_size(length), offset = p->tail & (p->capacity - 1);
    const uint32_t last = offset + size + LIPC__RECORD_HEADER - 1;
    const bool other_page = (offset ^ last) >= LIPC__RING_PAGE;
    if ((other_page || p->base != p->head) && !lipc__ring_look(p))
        return lipc__fault(LIPC_EPROTO);
    if (!(other_page && lipc__ring_restart(p, size)) && !lipc__ring_place(p, size)) {
        if (!lipc__ring_look(p))
            return lipc__fault(LIPC_EPROTO);
        if (!lipc__ring_place(p, size))
            return 0;
    }
    *ret_payload = (char *)lipc__word_at(p->ring, p->capacity, p->at) + LIPC__RECORD_HEADER;
    return 1;
}

/* Fetches the lines of the cache that the next records will go to, so that their stores need not wait for the other
 * processor. The line with the next header is left to the consumer, which may be waiting for it. */
static void lipc__ring_prefetch(const lipc__producer *p) {
    enum { LINE = 64, LINES = 2 };
    for (uint32_t i = 1; i <= LINES; i++)
        lipc__prefetch(lipc__word_at(p->ring, p->capacity, p->tail + i * LINE));
}

/* Publishes a record where room was reserved for at least its length. */
static void lipc__ring_commit(lipc__producer *p, uint32_t kind, uint32_t length, uint32_t second) {
    const uint32_t next = p->at + lipc__record_size(length), header = kind << LIPC__KIND_SHIFT | length;
    uint32_t *record = lipc__word_at(p->ring, p->capacity, p->at), *first = record;
    lipc__store(lipc__word_at(p->ring, p->capacity, next), 0);
    lipc__store(record + 1, second);
    if (p->at == p->tail) {
        lipc__store_release(first, header);
    } else { /* the pad publishes the record with itself */
        lipc__store(record, header);
        first = lipc__word_at(p->ring, p->capacity, p->tail);
        lipc__store(first + 1, p->at - p->tail - LIPC__RECORD_HEADER);
        lipc__store_release(first, (uint32_t)LIPC__PAD << LIPC__KIND_SHIFT);
    }
    p->tail = next;
    p->base = p->next_base;
    lipc__ring_prefetch(p);
}

/* Publishes the end. There is always room for it, since nothing has to follow it. */
static void lipc__ring_finish(lipc__producer *p) {
    uint32_t *record = lipc__word_at(p->ring, p->capacity, p->tail);
    lipc__store(record + 1, 0);
    lipc__store_release(record, (uint32_t)LIPC__FINISH << LIPC__KIND_SHIFT);
}

/* ------------------------------------------- Consuming ------------------------------------------ */

typedef struct lipc__consumer {
    char *ring;
    lipc__direction *shared;
    uint32_t capacity;
    uint32_t head;      /* where the next record is */
    uint32_t published; /* head, as the producer can see it */
} lipc__consumer;

/* Whether a record, or a violation, is there. */
static bool lipc__ring_has(const lipc__consumer *c) {
    return lipc__load(lipc__word_at(c->ring, c->capacity, c->head)) != 0;
}

/* Reads the next record. Returns 1, 0 if there is none, or LIPC_EPROTO. It must not be read again: what was read
 * first is what counts. */
static int lipc__ring_peek(lipc__consumer *c, lipc__ring_record *ret_record) {
    for (bool padded = false;; padded = true) {
        uint32_t *at = lipc__word_at(c->ring, c->capacity, c->head);
        const uint32_t header = lipc__load_acquire(at);
        if (header == 0 && !padded)
            return 0;
        const uint32_t second = lipc__load(at + 1), left = c->capacity - (c->head & (c->capacity - 1));
        if (header == (uint32_t)LIPC__PAD << LIPC__KIND_SHIFT && !padded) {
            if (second % 8 != 0 || second > left - LIPC__RECORD_HEADER)
                return lipc__fault(LIPC_EPROTO);
            c->head += LIPC__RECORD_HEADER + second;
            continue;
        }
        if (!lipc__record_of(header, second, lipc__record_limit(c->capacity), ret_record) ||
            lipc__record_size(ret_record->length) > left)
            return lipc__fault(LIPC_EPROTO);
        ret_record->payload = (const char *)at + LIPC__RECORD_HEADER;
        return 1;
    }
}

static void lipc__ring_publish(lipc__consumer *c) {
    if (c->published != c->head)
        lipc__store_release(&c->shared->head.word, c->head);
    c->published = c->head;
}

/* Consumes the record that was read. Returns whether the head was published: then the caller has to look whether the
 * producer waits, after a fence. It is published for every quarter of the ring, if the ring is empty, so that the
 * producer can restart, and if the producer may wait for this very record (at_once). */
static bool lipc__ring_advance(lipc__consumer *c, uint32_t length, bool at_once) {
    c->head += lipc__record_size(length);
    if (!at_once && c->head - c->published < c->capacity / 4 && lipc__ring_has(c))
        return false;
    lipc__ring_publish(c);
    return true;
}
