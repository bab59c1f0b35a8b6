/* Channels: messages and bytes through rings in shared memory, or over the connection. docs/channel-protocol.md
 * describes the protocol.
 *
 * The sending and the receiving half of an end have nothing in common that changes, but for dead. */

enum {
    LIPC__CHANNEL_BUFFER = 64 << 10, /* of a direction without shared memory */
    LIPC__BELL = 0,                  /* a byte on the connection: wake up */
    LIPC__FILES = 1                  /* a byte that files come with */
};

/* One half's way to wait for the peer. Fields that only exist with shared memory are marked so. */
typedef struct lipc__sleeper {
    lipc_handle handle; /* where the bell rings, and where the death of the peer shows */
    uint32_t *flag;     /* shared memory: whether the peer has to ring */
    bool armed;         /* shared memory: the flag was set, and the caller waits by itself */
    bool owed;          /* shared memory: a bell is still to come, or to be read */
    bool ended;         /* the peer is gone */
    uint32_t vain;      /* how many calls in a row found nothing and did not wait */
    lipc_spin spin;
} lipc__sleeper;

/* Files, and credentials, that arrived ahead of their message. */
typedef struct lipc__files {
    bool here;
    int lost; /* the error because of which the files could not be taken, or 0 */
    size_t count;
    lipc_handle *handles; /* room for max_handles */
    lipc_credentials credentials;
} lipc__files;

typedef struct lipc__out {
    lipc__producer ring; /* shared memory */
    lipc__sleeper sleeper;
    char *buffer;        /* without: what is to be sent; from start to end it is still to be sent */
    size_t start, end;
    uint32_t limit;      /* the longest record */
    uint32_t peer_limit; /* the largest message */
    uint32_t peer_handles; /* the most handles that a message may have */
    uint32_t wanted;     /* the size of the record that room is awaited for */
    bool finished;       /* this direction was shut down */
    bool reserved;
    uint32_t reserved_size;
    /* The message under way: its size, how much of it was put into records, and whether it has files. If it was given
     * up, its receiver has to be told. */
    bool begun, with_files, owes_cancel;
    uint32_t total, put;
    /* shared memory: whether files are on their way, and where the consumer will have taken them */
    bool files_on_way;
    uint32_t files_until;
} lipc__out;

typedef struct lipc__in {
    lipc__consumer ring; /* shared memory */
    lipc__sleeper sleeper;
    char *buffer;        /* without: what was received; from start to end it is still to be consumed */
    size_t start, end;
    uint32_t limit;      /* the longest record */
    uint32_t own_limit;  /* the largest message */
    bool ended;
    /* The record that is next, if it was read; whether lipc_channel_next() lent it; and how much of it was taken as
     * bytes. */
    bool have, lent;
    lipc__ring_record record;
    uint32_t taken;
    /* The message that the record belongs to: whether records of it were consumed, and how many bytes those had;
     * whether it was sent with files or credentials, and whether the files that are here are its own; whether the rest
     * of it is to be dropped; whether all of it is kept. */
    bool begun, with_files, owns_files, dropped, assembled;
    uint32_t total, got;
    /* How much of the message the caller has not got yet, and what is kept of that. */
    uint32_t size, kept_size;
    char *kept;
    /* Where the caller's buffer has the beginning of the message, after a call that did not wait; NULL: nowhere. */
    void *left_in;
    size_t left;
    lipc__files files;
} lipc__in;

/* The state of the handshake, see portable/channel_handshake.c. */
enum { LIPC__HELLO_SIZE = 64 };

typedef struct lipc__handshake {
    int step;                     /* enum lipc__handshake_step */
    size_t done;                  /* how many bytes of this step's were sent or received */
    char bytes[LIPC__HELLO_SIZE]; /* of this step */
    uint32_t peer_min, peer_max;  /* versions */
    bool barrier;                 /* this end can be interrupted for membarrier(2) */
    bool lost;                    /* the handles that came could not be taken */
    lipc_handle handles[2];       /* that come, or are to be sent: the memory, and the peer's end of room */
    size_t handle_count;
} lipc__handshake;

struct lipc_channel {
    lipc_handle connection, room; /* room: where the bell for room rings, with shared memory */
    bool shared;
    bool membarrier; /* whoever sleeps calls membarrier(2), and nobody else needs a fence */
    uint32_t dead;   /* either half found a violation. Both use it */
    lipc__direction *in_words, *out_words;
    char *memory;
    size_t memory_size;
    bool charged; /* the memory to the budget */
    lipc_channel_options options;
    lipc__handshake handshake;
    char unknown[128]; /* what a later version adds to its hello; and so that the halves share no line of the cache */
    lipc__out out;
    char apart[128]; /* so that they share none either */
    lipc__in in;
};

/* How long a call waits. */
typedef struct lipc__patience {
    lipc__deadline deadline;
    bool arm;         /* it asks for a wake-up instead of waiting */
    bool spins;       /* before it waits, or fails */
    bool begun;       /* it has taken back what an earlier call asked for */
    uint32_t skipped; /* how many records and wake-ups brought it nothing */
} lipc__patience;

static lipc__patience lipc__patience_of(int timeout_ms) {
    const bool arm = timeout_ms == LIPC_CHANNEL_ARM, waits = !arm && timeout_ms != LIPC_CHANNEL_SPIN;
    return (lipc__patience){.deadline = {.timeout_ms = waits ? timeout_ms : 0}, .arm = arm, .spins = timeout_ms != 0};
}

/* Whether the call neither waits nor asks for a wake-up. */
static bool lipc__polls(const lipc__patience *patience) {
    return patience->deadline.timeout_ms == 0 && !patience->arm;
}

enum { LIPC__MOST_SKIPPED = 1024 };

/* Counts a record, or a wake-up, that brought the call nothing. Looks at the time now and then, so that a peer cannot
 * keep the call busy beyond the time that it has. */
static int lipc__skip(lipc__patience *patience) {
    if (++patience->skipped % LIPC__MOST_SKIPPED != 0)
        return 0;
    int left = lipc__time_left(&patience->deadline);
    return left < -1 ? left : 0;
}

static bool lipc__is_late(int64_t result) {
    return lipc_error_code(result) == LIPC_EAGAIN || lipc_error_code(result) == LIPC_ETIMEDOUT;
}

/* ---------------------------------------- The connection ---------------------------------------- */

/* Without a connection the caller moves the bytes, see portable/channel_sans_io.c: nothing comes, and nothing can be
 * sent, during a call. */

static bool lipc__has_connection(const lipc_channel *c) {
    return c->connection != LIPC_INVALID_HANDLE;
}

static int64_t lipc__connection_receive(lipc_channel *c, lipc_message *message, int timeout_ms) {
    if (!lipc__has_connection(c))
        return lipc__fault(c->in.sleeper.ended ? LIPC_EEND : LIPC_EAGAIN);
    return lipc_receive_message(c->connection, message, timeout_ms);
}

/* Sends bytes, with the handles and credentials of a message unless that is NULL. */
static int64_t lipc__connection_send(lipc_channel *c, const void *data, size_t size, const lipc_message *with,
                                     int timeout_ms) {
    if (!lipc__has_connection(c))
        return lipc__fault(LIPC_EAGAIN);
    if (with == NULL)
        return lipc_write(c->connection, data, size, timeout_ms);
    const lipc_buffer buffer = {(void *)(uintptr_t)data, size};
    const lipc_message m = {.size = sizeof m,
                            .buffers = &buffer,
                            .buffer_count = 1,
                            .handles = with->handles,
                            .handle_count = with->handle_count,
                            .credentials = with->credentials};
    return lipc_send_message(c->connection, &m, timeout_ms);
}

static void lipc__connection_shutdown(lipc_channel *c, int direction) {
    if (lipc__has_connection(c))
        lipc_shutdown(c->connection, direction);
}

/* Ends the channel because the peer broke the protocol. Both sides' waits end. */
static int lipc__die(lipc_channel *c) {
    lipc__store(&c->dead, 1);
    lipc__connection_shutdown(c, LIPC_READ | LIPC_WRITE);
    if (c->room != LIPC_INVALID_HANDLE)
        lipc_shutdown(c->room, LIPC_READ | LIPC_WRITE);
    return lipc__fault(LIPC_EPROTO);
}

/* The result of a call that the other half may have ended with lipc__die(). */
static int lipc__unless_dead(const lipc_channel *c, int r) {
    return r < 0 && lipc__load(&c->dead) ? lipc__fault(LIPC_EPROTO) : r;
}

/* ------------------------------------- What the connection brings ------------------------------- */

static void lipc__files_close(lipc__files *f) {
    for (size_t i = 0; i < f->count; i++)
        lipc_close(f->handles[i]);
    f->count = 0;
    f->lost = 0;
    f->here = false;
}

/* Whether files have arrived that nobody has taken, or were lost. */
static bool lipc__files_held(const lipc__files *f) {
    return f->count > 0 || f->lost < 0;
}

/* Receives what is on the connection. Files are put aside; if some are there already, those that come are closed. There
 * is room for all that the system can bring, so that more than this end takes are told from files that were lost.
 * Returns how many bytes came, or 0 at the end. */
static int64_t lipc__receive_raw(lipc_channel *c, void *data, size_t size, int timeout_ms, lipc__files *ret_files) {
    lipc__files *f = ret_files;
    lipc_handle handles[LIPC_MESSAGE_HANDLES];
    lipc_buffer buffer = {data, size};
    lipc_message m = {.size = sizeof m,
                      .buffers = &buffer,
                      .buffer_count = 1,
                      .handles = f != NULL ? handles : NULL,
                      .handle_capacity = f != NULL ? LIPC_MESSAGE_HANDLES : 0,
                      .credentials = f != NULL ? &f->credentials : NULL};
    int64_t n = lipc__connection_receive(c, &m, timeout_ms);
    if (lipc_error_code(n) == LIPC_EEND) {
        c->in.sleeper.ended = true;
        return 0;
    }
    if (lipc_error_code(n) == LIPC_EHANDLES && f != NULL) {
        f->lost = (int)n;
        return (int64_t)m.length;
    }
    if (n < 0 || f == NULL)
        return n;
    if (m.handle_count > (size_t)c->options.max_handles) {
        while (m.handle_count > 0)
            lipc_close(handles[--m.handle_count]);
        return lipc__die(c);
    }
    memcpy(f->handles, handles, m.handle_count * sizeof *handles);
    f->count = m.handle_count;
    return n;
}

/* With shared memory: reads the bells that are there, with one system call. Returns how many bytes came, or 0 at the
 * end. */
static int64_t lipc__drain_connection(lipc_channel *c, int timeout_ms) {
    char bytes[64];
    lipc__files *f = &c->in.files;
    int64_t n = lipc__receive_raw(c, bytes, sizeof bytes, timeout_ms, f->here ? NULL : f);
    int64_t sets = 0;
    for (int64_t i = 0; i < n; i++)
        sets += bytes[i] == LIPC__FILES;
    if (sets > 1 || (sets == 1 && f->here) || (sets == 0 && !f->here && lipc__files_held(f))) {
        if (!f->here)
            lipc__files_close(f); /* the next call that drains would forget them */
        return lipc__die(c);
    }
    f->here = f->here || sets == 1;
    return n;
}

/* Without shared memory: finds room for bytes of records, and returns how many. Only one message's files are kept, so
 * if waiting, nothing is read beyond the record that they belong to. */
static size_t lipc__fill_room(lipc__in *in, bool waiting) {
    size_t have = in->end - in->start, needed = LIPC__RECORD_HEADER;
    if (have >= LIPC__RECORD_HEADER) {
        uint32_t header;
        memcpy(&header, in->buffer + in->start, sizeof header);
        needed = lipc__record_size(header & LIPC__LENGTH_MASK); /* if waiting, it was checked */
    }
    if (have == 0 || needed > LIPC__CHANNEL_BUFFER - in->start) {
        memmove(in->buffer, in->buffer + in->start, have);
        in->start = 0;
        in->end = have;
    }
    return waiting ? needed - have : LIPC__CHANNEL_BUFFER - in->end;
}

/* Without shared memory: receives records. */
static int64_t lipc__fill(lipc_channel *c, int timeout_ms) {
    lipc__in *in = &c->in;
    const bool waiting = lipc__files_held(&in->files);
    const size_t size = lipc__fill_room(in, waiting);
    int64_t n = lipc__receive_raw(c, in->buffer + in->end, size, timeout_ms, waiting ? NULL : &in->files);
    if (n > 0)
        in->end += (size_t)n;
    return n;
}

/* --------------------------------------------- Waiting ------------------------------------------ */

/* Orders what a half has published before its look at the flag of a peer that may sleep. */
static void lipc__fence_awake(const lipc_channel *c) {
    if (c->membarrier)
        lipc__fence_compiler();
    else
        lipc__fence();
}

/* Wakes a peer that waits, by a byte. */
static int lipc__ring_bell(lipc_channel *c, uint32_t *flag, lipc_handle handle) {
    static const char bell = LIPC__BELL;
    lipc__fence_awake(c);
    uint32_t waits = lipc__load(flag);
    if (waits == LIPC__AWAKE)
        return 0;
    if (waits != LIPC__WAITS)
        return lipc__fault(LIPC_EPIPE);
    if (!lipc__replace(flag, LIPC__WAITS, LIPC__AWAKE))
        return 0;
    int64_t n = lipc_write(handle, &bell, 1, 0);
    return n < 0 && lipc_error_code(n) != LIPC_EAGAIN ? (int)n : 0; /* a buffer full of bells wakes as well */
}

/* Reads the bells of a half. Returns 1, or 0 if there are none now. */
static int lipc__drain(lipc_channel *c, lipc__sleeper *s, int timeout_ms) {
    char bytes[64];
    int64_t n = s == &c->in.sleeper ? lipc__drain_connection(c, timeout_ms)
                                    : lipc_read(s->handle, bytes, sizeof bytes, timeout_ms);
    if (n < 0)
        return lipc__is_late(n) ? 0 : (int)n;
    if (n == 0)
        s->ended = true;
    return 1;
}

/* Takes back the request to be woken. heard: a bell was read since. */
static void lipc__disarm(lipc__sleeper *s, bool heard) {
    s->armed = false;
    bool rung = !lipc__replace(s->flag, LIPC__WAITS, LIPC__AWAKE);
    s->owed = (s->owed || rung) && !heard;
}

/* Ends the wait of a caller that waited by itself. */
static int lipc__wake_up(lipc_channel *c, lipc__sleeper *s) {
    if (!s->armed)
        return 0;
    int heard = lipc__drain(c, s, 0);
    if (heard < 0)
        return heard;
    lipc__disarm(s, heard > 0);
    return 0;
}

/* Lets the peer know which processor this thread runs on. A store of what is there already would take the line of the
 * cache from the peer, which reads it before each spin. */
static uint32_t lipc__tell_processor(lipc_channel *c) {
    uint32_t processor = lipc__processor();
    if (lipc__load(&c->out_words->processor.word) != processor)
        lipc__store(&c->out_words->processor.word, processor);
    return processor;
}

/* Spins until ready. Returns false if that would take too long. */
static bool lipc__spin_until(lipc_channel *c, lipc__sleeper *s, bool (*ready)(lipc_channel *)) {
    enum { CLOCKLESS = 16 }; /* the clock takes longer than a pause */
    lipc_spin *spin = &s->spin;
    uint32_t processor = lipc__tell_processor(c);
    if (processor != 0) /* then it matters which processor the peer has, not how many this thread may use */
        spin->processors = 2;
    if (spin->limit_us == 0 || !lipc__spin_begin(spin))
        return false;
    if (processor != 0 && lipc__load(&c->in_words->processor.word) == processor)
        return false; /* the peer cannot run as long as this does */
    int64_t begin = 0;
    for (unsigned i = 1;; i++) {
        lipc__spin_pause();
        bool is_ready = ready(c);
        if (!is_ready && i % CLOCKLESS != 0)
            continue;
        int64_t now = is_ready && begin == 0 ? 0 : lipc__now_us();
        if (begin == 0)
            begin = now;
        if (is_ready || now - begin >= spin->limit_us) {
            lipc__spin_learn(spin, !is_ready, now - begin);
            return is_ready;
        }
    }
}

/* Asks the peer for a bell. What it had published before, the caller has to look for. */
static int lipc__ask_for_bell(lipc_channel *c, lipc__sleeper *s) {
    lipc__store(s->flag, LIPC__WAITS);
    if (c->membarrier)
        return lipc__membarrier();
    lipc__fence();
    return 0;
}

/* With shared memory: waits until ready. Returns 0 if it may be; LIPC_EEND if the peer is gone. */
static int lipc__sleep(lipc_channel *c, lipc__sleeper *s, bool (*ready)(lipc_channel *), lipc__patience *patience) {
    enum { POLLS = 256 }; /* a caller that never waits looks this rarely whether the peer is gone */
    if (s->ended)
        return lipc__fault(LIPC_EEND);
    const bool looks = lipc__polls(patience) && ++s->vain % POLLS == 0;
    if (looks || (s->owed && patience->spins)) {
        int heard = lipc__drain(c, s, 0);
        if (heard < 0)
            return heard;
        s->owed = s->owed && heard == 0;
        if (s->ended)
            return 0;
    }
    if (patience->spins && lipc__spin_until(c, s, ready))
        return 0;
    if (lipc__polls(patience))
        return lipc__fault(LIPC_EAGAIN);
    int r = lipc__ask_for_bell(c, s), heard = 0;
    if (r == 0 && !ready(c)) {
        if (patience->arm) { /* what came before may have been reported to the caller already, and not be again */
            heard = lipc__drain(c, s, 0);
            s->armed = heard == 0;
            if (s->armed)
                return lipc__fault(LIPC_EAGAIN);
            lipc__disarm(s, heard > 0);
            return heard < 0 ? heard : lipc__skip(patience);
        }
        int left = lipc__time_left(&patience->deadline);
        heard = left < -1 ? left : lipc__drain(c, s, left);
        r = heard < 0 ? heard : 0;
    }
    lipc__disarm(s, heard > 0);
    lipc__tell_processor(c);
    return r;
}

/* -------------------------------------------- Sending ------------------------------------------- */

/* Without shared memory: sends what is to be sent. */
static int lipc__flush(lipc_channel *c, lipc__patience *patience) {
    lipc__out *out = &c->out;
    while (out->start < out->end) {
        int left = patience->deadline.timeout_ms == 0 ? 0 : lipc__time_left(&patience->deadline);
        if (left < -1)
            return left;
        int64_t n = lipc__connection_send(c, out->buffer + out->start, out->end - out->start, NULL, left);
        if (n < 0)
            return lipc__unless_dead(c, (int)n);
        out->start += (size_t)n;
    }
    if (!out->reserved) /* what was reserved lies behind the end */
        out->start = out->end = 0;
    return 0;
}

/* Finds room for a record. Returns 1, 0 if there is none, or LIPC_EPROTO. */
static int lipc__out_reserve(lipc_channel *c, uint32_t length, char **ret_payload) {
    lipc__out *out = &c->out;
    if (c->shared)
        return lipc__ring_reserve(&out->ring, length, ret_payload);
    const size_t size = lipc__record_size(length) + LIPC__RECORD_HEADER; /* and room for the end */
    if (size > LIPC__CHANNEL_BUFFER - out->end) {
        size_t to = out->start % 8; /* so that records stay aligned */
        memmove(out->buffer + to, out->buffer + out->start, out->end - out->start);
        out->end -= out->start - to;
        out->start = to;
    }
    if (size > LIPC__CHANNEL_BUFFER - out->end)
        return 0;
    *ret_payload = out->buffer + out->end + LIPC__RECORD_HEADER;
    return 1;
}

/* Adds a record where room was reserved. */
static void lipc__out_commit(lipc_channel *c, uint32_t kind, uint32_t length, uint32_t second) {
    lipc__out *out = &c->out;
    if (c->shared) {
        lipc__ring_commit(&out->ring, kind, length, second);
        if (out->ring.tail - out->files_until > 2 * out->ring.capacity)
            out->files_on_way = false; /* before the positions come round */
        return;
    }
    const uint32_t header[2] = {kind << LIPC__KIND_SHIFT | length, second};
    const size_t end = out->end + sizeof header + length, next = out->end + lipc__record_size(length);
    memcpy(out->buffer + out->end, header, sizeof header);
    memset(out->buffer + end, 0, next - end); /* the peer gets what lies between records */
    out->end = next;
}

/* Lets the peer see what was added. */
static int lipc__out_push(lipc_channel *c, lipc__patience *patience) {
    if (!c->shared)
        return lipc__flush(c, patience);
    return lipc__unless_dead(c, lipc__ring_bell(c, &c->out_words->consumer.word, c->connection));
}

/* Whether the peer consumes no more. It leaves a bell for a producer that waits, but not for one that is about to. */
static bool lipc__is_gone(lipc_channel *c) {
    return lipc__load(&c->out_words->consumer.word) == LIPC__GONE;
}

/* Whether there is room for what is wanted, or never will be, or a violation. */
static bool lipc__out_ready(lipc_channel *c) {
    lipc__producer *ring = &c->out.ring;
    return lipc__is_gone(c) || !lipc__ring_look(ring) || lipc__ring_place(ring, lipc__record_size(c->out.wanted));
}

/* Whether the files that were sent before were taken, or a violation. */
static bool lipc__files_taken(lipc_channel *c) {
    lipc__out *out = &c->out;
    const lipc__producer *ring = &out->ring;
    if (out->files_on_way && lipc__ring_look(&out->ring))
        out->files_on_way = ring->tail - ring->head > ring->tail - out->files_until;
    else
        out->files_on_way = false; /* the next look finds the violation again */
    return !out->files_on_way;
}

/* Whether files can be sent, or never will be taken. */
static bool lipc__files_ready(lipc_channel *c) {
    return lipc__is_gone(c) || lipc__files_taken(c);
}

/* Sends what was put, and waits until there is room, or what else ready says. */
static int lipc__out_wait(lipc_channel *c, bool (*ready)(lipc_channel *), lipc__patience *patience) {
    int r = lipc__out_push(c, patience);
    if (r == 0 && c->shared)
        r = lipc__sleep(c, &c->out.sleeper, ready, patience);
    return lipc__unless_dead(c, lipc_error_code(r) == LIPC_EEND ? lipc__fault(LIPC_EPIPE) : r);
}

/* Waits for room for a record. */
static int lipc__out_room(lipc_channel *c, uint32_t length, lipc__patience *patience, char **ret_payload) {
    c->out.wanted = length;
    for (;;) {
        int r = lipc__out_reserve(c, length, ret_payload);
        if (r != 0)
            return r < 0 ? lipc__die(c) : 0;
        r = lipc__out_wait(c, lipc__out_ready, patience);
        if (r < 0)
            return r;
    }
}

/* Begins every call that sends. A message that is under way is given up, unless the call may go on with it. */
static int lipc__out_enter(lipc_channel *c, bool goes_on) {
    lipc__out *out = &c->out;
    out->reserved = false;
    if (!goes_on)
        lipc_channel_cancel(c);
    if (lipc__load(&c->dead))
        return lipc__fault(LIPC_EPROTO);
    if (out->finished)
        return lipc__fault(LIPC_EPIPE);
    return lipc__wake_up(c, &out->sleeper);
}

/* Remembers where the files of a message will have been taken, once all of it was put. A message without files leaves
 * what is known of those before. */
static void lipc__files_sent(lipc_channel *c) {
    lipc__out *out = &c->out;
    if (!out->with_files)
        return;
    out->files_on_way = c->shared;
    out->files_until = out->ring.tail;
    out->with_files = false;
}

/* Lets the receiver know that a message was given up. */
static int lipc__out_settle(lipc_channel *c, lipc__patience *patience) {
    lipc__out *out = &c->out;
    char *payload;
    if (!out->owes_cancel)
        return 0;
    int r = lipc__out_room(c, 0, patience, &payload);
    if (r < 0)
        return r;
    lipc__out_commit(c, LIPC__CANCEL, 0, 0);
    out->owes_cancel = false;
    lipc__files_sent(c);
    return 0;
}

/* Copies size bytes out of buffers, beginning with an offset. */
static void lipc__gather(char *to, const lipc_buffer *buffers, size_t offset, size_t size) {
    for (; size > 0; buffers++) {
        if (offset >= buffers->size) {
            offset -= buffers->size;
            continue;
        }
        size_t n = buffers->size - offset < size ? buffers->size - offset : size;
        memcpy(to, (const char *)buffers->data + offset, n);
        to += n;
        size -= n;
        offset = 0;
    }
}

/* Sends the files of a message ahead of its first record, for which room was found. Without shared memory the record is
 * all that is in the buffer, and goes with them. */
static int lipc__files_send(lipc_channel *c, const lipc_message *with, lipc__patience *patience) {
    static char files = LIPC__FILES;
    lipc__out *out = &c->out;
    const char *data = c->shared ? &files : out->buffer + out->start;
    const size_t size = c->shared ? 1 : out->end - out->start;
    int left = patience->deadline.timeout_ms == 0 ? 0 : lipc__time_left(&patience->deadline);
    int64_t n = left < -1 ? left : lipc__connection_send(c, data, size, with, left);
    if (!c->shared && n > 0)
        out->start += (size_t)n;
    return n < 0 ? lipc__unless_dead(c, (int)n) : 0;
}

/* Waits until files may be sent: with shared memory one message's at a time. */
static int lipc__files_clear(lipc_channel *c, lipc__patience *patience) {
    if (!c->shared)
        return lipc__flush(c, patience);
    while (!lipc__files_taken(c)) {
        int r = lipc__out_wait(c, lipc__files_ready, patience);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Puts a part of the message under way into a record. with: what travels with it, if this is the first part. */
static int lipc__out_part(lipc_channel *c, const lipc_buffer *buffers, uint32_t length, const lipc_message *with,
                          lipc__patience *patience) {
    lipc__out *out = &c->out;
    const uint32_t kind = out->put + length == out->total ? LIPC__MESSAGE : LIPC__FRAGMENT;
    char *payload;
    int r = with != NULL ? lipc__files_clear(c, patience) : 0;
    if (r == 0)
        r = lipc__out_room(c, length, patience, &payload);
    if (r < 0)
        return r;
    lipc__gather(payload, buffers, out->put, length);
    if (with != NULL && c->shared)
        r = lipc__files_send(c, with, patience);
    if (r < 0)
        return r;
    lipc__out_commit(c, kind, length, out->total | (with != NULL ? LIPC__WITH_FILES : 0));
    if (with != NULL && !c->shared)
        r = lipc__files_send(c, with, patience);
    if (r < 0) {
        out->start = out->end = 0;
        return r;
    }
    out->with_files = out->with_files || with != NULL;
    out->begun = true;
    out->put += length;
    return 0;
}

/* Sends a message, or puts it where the next push sends it. */
static int64_t lipc__out_send(lipc_channel *c, const lipc_buffer *buffers, size_t size, const lipc_message *with,
                              bool push, lipc__patience *patience) {
    lipc__out *out = &c->out;
    int r = lipc__out_enter(c, true);
    if (r < 0)
        return r;
    if (out->begun ? size != out->total : size > out->peer_limit)
        return lipc__fault(out->begun ? LIPC_EINVAL : LIPC_EMSGSIZE);
    r = lipc__out_settle(c, patience);
    if (!out->begun) {
        out->total = (uint32_t)size;
        out->put = 0;
    }
    /* Parts are small enough that the receiver copies one while the sender copies the next. */
    for (bool done = out->begun && out->put == out->total; r == 0 && !done;) {
        const uint32_t left = out->total - out->put, piece = out->limit / 4;
        r = lipc__out_part(c, buffers, left <= out->limit ? left : piece, out->begun ? NULL : with, patience);
        done = r == 0 && out->put == out->total;
        if (r == 0 && !done && c->shared)
            r = lipc__out_push(c, patience);
    }
    if (r == 0)
        lipc__files_sent(c);
    if (r == 0 && push)
        r = lipc__out_push(c, patience);
    if (lipc_error_code(r) != LIPC_EAGAIN)
        lipc_channel_cancel(c);
    return r < 0 ? r : (int64_t)size;
}

void lipc_channel_cancel(lipc_channel *c) {
    lipc__out *out = &c->out;
    if (out->begun && out->put < out->total)
        out->owes_cancel = true;
    out->begun = false;
}

int64_t lipc_channel_send(lipc_channel *channel, const void *data, size_t size, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    return lipc__out_send(channel, &(lipc_buffer){(void *)(uintptr_t)data, size}, size, NULL, true, &patience);
}

int64_t lipc_channel_send_batch(lipc_channel *channel, const lipc_buffer *messages, size_t count, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    int64_t r = 0;
    size_t done = 0;
    for (; r >= 0 && done < count; done += r >= 0)
        r = lipc__out_send(channel, &messages[done], messages[done].size, NULL, false, &patience);
    int pushed = done > 0 ? lipc__out_push(channel, &patience) : 0;
    if (done > 0)
        return lipc__is_late(pushed) || pushed == 0 ? (int64_t)done : pushed;
    return r;
}

/* Checks what both functions for messages with files take. */
static int lipc__channel_message_of(const lipc_message *message, size_t handles, lipc_message *ret_message,
                                    size_t *ret_size) {
    int r = lipc__options(ret_message, sizeof *ret_message, message);
    if (r < 0)
        return r;
    const lipc_message *m = ret_message;
    if (message == NULL || m->size < offsetof(lipc_message, length) + sizeof m->length)
        return lipc__fault(LIPC_EINVAL);
    if (m->peer != NULL || m->pidfd != NULL || m->control != NULL)
        return lipc__fault(LIPC_ENOTSUP);
    if (m->handles == NULL && handles > 0)
        return lipc__fault(LIPC_EINVAL);
    *ret_size = 0;
    for (size_t i = 0; i < m->buffer_count; i++)
        *ret_size = m->buffers[i].size > SIZE_MAX - *ret_size ? SIZE_MAX : *ret_size + m->buffers[i].size;
    return 0;
}

int64_t lipc_channel_send_message(lipc_channel *channel, const lipc_message *message, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc_message m;
    size_t size;
    int r = lipc__channel_message_of(message, message != NULL ? message->handle_count : 0, &m, &size);
    if (r < 0)
        return r;
    const bool with = m.handle_count > 0 || m.credentials != NULL;
    if (with && !lipc__has_connection(channel))
        return lipc__fault(LIPC_ENOTSUP);
    if (m.handle_count > channel->out.peer_handles)
        return lipc__fault(LIPC_ETOOMANY);
    return lipc__out_send(channel, m.buffers, size, with ? &m : NULL, true, &patience);
}

int64_t lipc_channel_reserve(lipc_channel *channel, size_t size, int timeout_ms, void **ret_data) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc__out *out = &channel->out;
    char *payload;
    if (size > out->limit || size > out->peer_limit)
        return lipc__fault(LIPC_EMSGSIZE);
    int r = lipc__out_enter(channel, false);
    if (r == 0)
        r = lipc__out_settle(channel, &patience);
    if (r == 0)
        r = lipc__out_room(channel, (uint32_t)size, &patience, &payload);
    if (r < 0)
        return r;
    out->reserved = true;
    out->reserved_size = (uint32_t)size;
    *ret_data = payload;
    return (int64_t)size;
}

int64_t lipc_channel_commit(lipc_channel *channel, size_t size, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc__out *out = &channel->out;
    if (lipc__load(&channel->dead))
        return lipc__fault(LIPC_EPROTO);
    if (out->finished)
        return lipc__fault(LIPC_EPIPE);
    if (!out->reserved || size > out->reserved_size)
        return lipc__fault(LIPC_EINVAL);
    out->reserved = false;
    lipc__out_commit(channel, LIPC__MESSAGE, (uint32_t)size, (uint32_t)size);
    int r = lipc__out_push(channel, &patience);
    return r < 0 ? r : (int64_t)size;
}

int64_t lipc_channel_write(lipc_channel *channel, const void *data, size_t size, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc__out *out = &channel->out;
    const uint32_t piece = out->limit / 4;
    size_t done = 0;
    int r = lipc__out_enter(channel, false);
    if (r == 0)
        r = lipc__out_settle(channel, &patience);
    while (r == 0 && done < size) {
        uint32_t n = size - done < piece ? (uint32_t)(size - done) : piece;
        char *payload;
        r = lipc__out_room(channel, n, &patience, &payload);
        if (r < 0)
            break;
        memcpy(payload, (const char *)data + done, n);
        lipc__out_commit(channel, LIPC__MESSAGE, n, n);
        done += n;
        r = lipc__out_push(channel, &patience);
    }
    return done > 0 ? (int64_t)done : r;
}

int lipc_channel_flush(lipc_channel *channel, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    if (lipc__load(&channel->dead))
        return lipc__fault(LIPC_EPROTO);
    return channel->shared ? 0 : lipc__flush(channel, &patience);
}

int64_t lipc_channel_reserve_limit(const lipc_channel *channel) {
    return channel->out.limit < channel->out.peer_limit ? channel->out.limit : channel->out.peer_limit;
}

int64_t lipc_channel_message_limit(const lipc_channel *channel) {
    return channel->out.peer_limit;
}

int64_t lipc_channel_handle_limit(const lipc_channel *channel) {
    return channel->out.peer_handles;
}

/* ------------------------------------------- Receiving ------------------------------------------ */

/* Whether a record is there, or a violation. */
static bool lipc__in_ready(lipc_channel *c) {
    return lipc__ring_has(&c->in.ring);
}

/* Lets the producer know how far this half is, and wakes it if it waits. A peer that is gone is found out elsewhere. */
static void lipc__wake_producer(lipc_channel *c) {
    lipc__ring_bell(c, &c->in_words->producer.word, c->room);
}

/* Waits until there is more to read. */
static int lipc__in_wait(lipc_channel *c, lipc__patience *patience) {
    lipc__in *in = &c->in;
    if (c->shared) {
        /* Only after a peer has taken back a record: lipc__ring_advance() saw one, or it would have published. */
        if (in->ring.published != in->ring.head) {
            lipc__ring_publish(&in->ring);
            lipc__wake_producer(c);
        }
        return lipc__sleep(c, &in->sleeper, lipc__in_ready, patience);
    }
    if (in->sleeper.ended)
        return lipc__fault(LIPC_EEND);
    int64_t n;
    do {
        n = lipc__fill(c, 0);
    } while (patience->spins && lipc_spin_again(&in->sleeper.spin, n));
    if (lipc_error_code(n) == LIPC_EAGAIN && !lipc__polls(patience)) {
        int left = lipc__time_left(&patience->deadline);
        n = left < -1 ? left : lipc__fill(c, left);
    }
    return n < 0 ? (int)n : 0;
}

/* Reads the next record. Returns 1, 0 if there is none, or LIPC_EPROTO. */
static int lipc__in_peek(lipc_channel *c, lipc__ring_record *ret_record) {
    lipc__in *in = &c->in;
    if (c->shared)
        return lipc__ring_peek(&in->ring, ret_record);
    uint32_t header[2];
    if (in->end - in->start < sizeof header)
        return 0;
    memcpy(header, in->buffer + in->start, sizeof header);
    if (!lipc__record_of(header[0], header[1], in->limit, ret_record))
        return lipc__fault(LIPC_EPROTO);
    ret_record->payload = in->buffer + in->start + LIPC__RECORD_HEADER;
    return in->end - in->start >= lipc__record_size(ret_record->length);
}

/* Consumes the record that was read. at_once: the sender may wait for that. */
static void lipc__in_consume(lipc_channel *c, bool at_once) {
    lipc__in *in = &c->in;
    in->have = false;
    in->taken = 0;
    if (!c->shared)
        in->start += lipc__record_size(in->record.length);
    else if (lipc__ring_advance(&in->ring, in->record.length, at_once))
        lipc__wake_producer(c);
}

/* Forgets what is kept of a message. */
static void lipc__in_forget(lipc__in *in) {
    if (in->kept == NULL)
        return;
    free(in->kept);
    in->kept = NULL;
    in->kept_size = 0;
}

/* Ends a message: what the caller did not take of it is gone. */
static void lipc__in_message_end(lipc__in *in) {
    lipc__in_forget(in);
    if (in->owns_files)
        lipc__files_close(&in->files);
    in->begun = in->with_files = in->owns_files = in->dropped = in->assembled = false;
    in->got = 0;
}

/* Drops the rest of the message, and its files. With shared memory its sender still waits until all of it was consumed,
 * and sends no other files before. */
static void lipc__in_drop(lipc_channel *c) {
    lipc__in *in = &c->in;
    in->dropped = true;
    lipc__in_forget(in);
    if (in->owns_files)
        lipc__files_close(&in->files);
    in->with_files = in->owns_files = in->with_files && c->shared;
}

/* Consumes the record that was read, as a part of its message. */
static void lipc__in_done(lipc_channel *c) {
    lipc__in *in = &c->in;
    const bool last = in->record.kind == LIPC__MESSAGE;
    if (in->assembled) { /* its last record was consumed before */
        in->have = false;
        in->taken = 0;
    } else {
        in->got += in->record.length;
        in->begun = true;
        lipc__in_consume(c, in->with_files && last);
    }
    if (last)
        lipc__in_message_end(in);
}

/* Takes the files of the record that was read off the connection. Its sender sent them before the record. */
static int lipc__files_arrive(lipc_channel *c) {
    enum { READS = 16 }; /* a peer that keeps to the protocol has few bells on their way */
    int64_t n = 1;
    for (int i = 0; c->shared && !c->in.files.here && i < READS && n != 0; i++) {
        n = lipc__drain_connection(c, 0);
        if (n < 0 && !lipc__is_late(n))
            return (int)n;
    }
    return c->shared && !c->in.files.here ? lipc__die(c) : 0;
}

/* Without shared memory: whether files that are here can still be those of a later record. They are those of the last
 * one that announces any: a system reports files together with what was sent before them, or with what came after them,
 * but not both. Nothing was read beyond that record. */
static bool lipc__files_later(const lipc__in *in) {
    size_t at = in->start + lipc__record_size(in->record.length);
    while (in->record.files && at + LIPC__RECORD_HEADER <= in->end) {
        uint32_t header[2];
        memcpy(header, in->buffer + at, sizeof header);
        if (header[1] & LIPC__WITH_FILES)
            return true;
        at += lipc__record_size(header[0] & LIPC__LENGTH_MASK);
    }
    return at < in->end;
}

/* Judges a record by the message that it belongs to. Returns 1 if the record is for the caller, 0 if it was consumed
 * here, LIPC_EEND, or another error. */
static int lipc__in_judge(lipc_channel *c) {
    lipc__in *in = &c->in;
    const lipc__ring_record *r = &in->record;
    const bool parts = r->kind == LIPC__MESSAGE || r->kind == LIPC__FRAGMENT;
    const bool held = !c->shared && !in->owns_files && lipc__files_held(&in->files);
    const bool later = held && lipc__files_later(in);
    if (held && !later && !r->files)
        return lipc__die(c);
    if (r->kind == LIPC__FINISH) {
        in->ended = true;
        return lipc__fault(LIPC_EEND);
    }
    if (in->begun && parts && (r->total != in->total || r->files))
        return lipc__die(c);
    if (parts ? r->total > in->own_limit : !in->begun)
        return lipc__die(c);
    if (parts && (r->kind == LIPC__FRAGMENT ? r->length == 0 || r->length >= r->total - in->got
                                            : r->length != r->total - in->got))
        return lipc__die(c);
    if (!parts) {
        lipc__in_consume(c, in->with_files);
        lipc__in_message_end(in);
        return 0;
    }
    if (r->files) {
        int arrived = lipc__files_arrive(c);
        if (arrived < 0)
            return arrived;
        in->with_files = true;
        in->owns_files = c->shared || (held && !later);
    }
    if (!in->begun)
        in->size = r->total;
    in->total = r->total;
    in->have = true;
    if (in->dropped)
        lipc__in_done(c);
    return in->have;
}

/* lipc__skip() for a record. A call that arms must not fail as long as there may be records that nothing will ring for.
 * So it asks for a bell first, and then reads as many records as can have been there before: after that the peer has
 * added one, and rings. On a connection those are the records that a socket's buffer holds. */
static int lipc__in_skip(lipc_channel *c, lipc__patience *patience) {
    enum { MOST_BUFFERED = 1 << 20 }; /* 8 MiB of them; Linux's default is 208 KiB, net.core.wmem_default */
    lipc__sleeper *s = &c->in.sleeper;
    if (!patience->arm)
        return lipc__skip(patience);
    const uint32_t earlier = c->shared ? c->in.ring.capacity / LIPC__RECORD_HEADER : MOST_BUFFERED;
    if (++patience->skipped == LIPC__MOST_SKIPPED && c->shared) {
        int r = lipc__ask_for_bell(c, s);
        s->armed = r == 0;
        return r;
    }
    return patience->skipped < LIPC__MOST_SKIPPED + earlier ? 0 : lipc__fault(LIPC_EAGAIN);
}

/* Waits for a record of a message, and reads it. */
static int lipc__in_record(lipc_channel *c, lipc__patience *patience) {
    lipc__in *in = &c->in;
    if (in->left_in != NULL || in->lent)
        return lipc__fault(LIPC_EINVAL); /* another buffer has the beginning of the message, or the caller has it */
    int r = patience->begun ? 0 : lipc__wake_up(c, &in->sleeper);
    patience->begun = true;
    while (r == 0 && !in->have) {
        if (lipc__load(&c->dead))
            return lipc__fault(LIPC_EPROTO);
        if (in->ended)
            return lipc__fault(LIPC_EEND);
        r = lipc__in_peek(c, &in->record);
        if (r < 0)
            return lipc__die(c);
        if (r == 0) {
            r = lipc__in_wait(c, patience);
            in->ended = lipc_error_code(r) == LIPC_EEND;
            continue;
        }
        r = lipc__in_judge(c);
        if (r >= 0)
            r = r == 0 ? lipc__in_skip(c, patience) : 0;
    }
    if (r == 0)
        in->sleeper.vain = 0;
    return r;
}

/* Copies into buffers, beginning with an offset, as much as fits. */
static void lipc__scatter(const lipc_buffer *buffers, size_t count, size_t offset, const char *from, size_t size) {
    for (; size > 0 && count > 0; buffers++, count--) {
        if (offset >= buffers->size) {
            offset -= buffers->size;
            continue;
        }
        size_t n = buffers->size - offset < size ? buffers->size - offset : size;
        memcpy((char *)buffers->data + offset, from, n);
        from += n;
        size -= n;
        offset = 0;
    }
}

/* Keeps the first size bytes of a message, of which buffers have those that are not kept yet. Without memory for them
 * the message is lost. */
static int lipc__in_keep(lipc_channel *c, const lipc_buffer *buffers, size_t count, size_t size) {
    lipc__in *in = &c->in;
    char *kept = size > 0 ? SYS_ALLOCATE(realloc(in->kept, in->size)) : in->kept;
    if (kept == NULL && size > 0) {
        lipc__in_drop(c);
        return lipc__fault(LIPC_ENOMEM);
    }
    in->kept = kept;
    size_t offset = in->kept_size;
    for (; count > 0 && offset >= buffers->size; buffers++, count--)
        offset -= buffers->size;
    for (; count > 0 && in->kept_size < size; buffers++, count--, offset = 0) {
        size_t n = buffers->size - offset < size - in->kept_size ? buffers->size - offset : size - in->kept_size;
        memcpy(kept + in->kept_size, (const char *)buffers->data + offset, n);
        in->kept_size += (uint32_t)n;
    }
    return 0;
}

/* Gives the caller what travels with a message. */
static int lipc__files_deliver(lipc__in *in, lipc_message *m) {
    lipc__files *f = &in->files;
    const bool wanted = in->owns_files && m->handle_capacity > 0;
    if (wanted && f->lost < 0)
        return f->lost;
    if (wanted && f->count > m->handle_capacity)
        return lipc__fault(LIPC_EHANDLES);
    m->handle_count = wanted ? f->count : 0;
    if (wanted) {
        memcpy(m->handles, f->handles, f->count * sizeof *f->handles);
        f->count = 0;
    }
    return 0;
}

/* Puts the message together whose first part was read. */
static int lipc__in_assemble(lipc_channel *c, lipc__patience *patience) {
    lipc__in *in = &c->in;
    while (!in->assembled && (in->record.kind == LIPC__FRAGMENT || in->kept_size > 0)) {
        const lipc_buffer part = {(void *)(uintptr_t)(in->record.payload + in->taken), in->record.length - in->taken};
        const lipc__ring_record record = in->record;
        const size_t size = in->kept_size + part.size;
        /* Only what comes after what is kept is copied. */
        int r = lipc__in_keep(c, (lipc_buffer[]){{NULL, in->kept_size}, part}, 2, size);
        if (r < 0) {
            lipc__in_done(c);
            return r;
        }
        if (record.kind == LIPC__MESSAGE) {
            lipc__in_consume(c, in->with_files);
            in->record = (lipc__ring_record){.kind = LIPC__MESSAGE, .length = (uint32_t)size, .payload = in->kept};
            in->have = in->assembled = true;
            in->begun = false;
            in->kept_size = 0; /* it is the record now */
            break;
        }
        lipc__in_done(c);
        r = lipc__in_record(c, patience);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Receives a message. whole: one that does not fit stays. message, if not NULL, gets what travels with it, and how much
 * was stored. ret_size gets the size of the message, also with LIPC_ETRUNCATED. */
static int64_t lipc__in_receive(lipc_channel *c, const lipc_buffer *buffers, size_t count, size_t room, bool whole,
                                lipc_message *message, size_t *ret_size, lipc__patience *patience) {
    lipc__in *in = &c->in;
    const bool waits = !patience->arm && patience->deadline.timeout_ms != 0, goes_on = in->left_in != NULL;
    size_t size = in->size, done = in->left;
    if (goes_on && (count != 1 || buffers->data != in->left_in || room < in->left || message != NULL))
        return lipc__fault(LIPC_EINVAL);
    in->left_in = NULL;
    for (bool first = !goes_on;; first = false) {
        int r = lipc__in_record(c, patience);
        if (r == 0 && whole && in->size > room)
            return lipc__fault(LIPC_EMSGSIZE);
        if (r == 0 && in->kept_size > 0) /* to copy that for each attempt would take the longer, the more there is */
            r = lipc__in_assemble(c, patience);
        if (lipc__is_late(r) && !first && in->begun && !waits && count == 1 && message == NULL) {
            in->left_in = buffers->data;
            in->left = done;
            return r;
        }
        if (r < 0) {
            int kept = !first && in->begun ? lipc__in_keep(c, buffers, count, done) : 0;
            return kept < 0 ? kept : r;
        }
        if (first || !in->begun) { /* not begun: the message before was given up */
            size = in->size;
            done = 0;
        }
        const size_t n = in->record.length - in->taken;
        lipc__scatter(buffers, count, done, in->record.payload + in->taken, n);
        done += n;
        const bool cut = size > room && done >= room;
        if (in->record.kind == LIPC__FRAGMENT && !cut) {
            lipc__in_done(c);
            continue;
        }
        if (message != NULL) {
            r = cut ? 0 : lipc__files_deliver(in, message);
            message->length = done < room ? done : room;
            if (message->credentials != NULL && in->with_files)
                *message->credentials = in->files.credentials;
            else if (message->credentials != NULL)
                memset(message->credentials, 0xff, sizeof *message->credentials);
        }
        if (cut)
            lipc__in_drop(c);
        lipc__in_done(c);
        *ret_size = size;
        if (r < 0)
            return r;
        return cut ? lipc__fault(LIPC_ETRUNCATED) : (int64_t)done;
    }
}

int lipc_channel_keep(lipc_channel *channel) {
    lipc__in *in = &channel->in;
    if (in->left_in == NULL)
        return 0;
    const lipc_buffer buffer = {in->left_in, in->left};
    in->left_in = NULL;
    return lipc__in_keep(channel, &buffer, 1, in->left);
}

int64_t lipc_channel_receive(lipc_channel *channel, void *data, size_t size, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    return lipc__in_receive(channel, &(lipc_buffer){data, size}, 1, size, false, NULL, &(size_t){0}, &patience);
}

int64_t lipc_channel_receive_whole(lipc_channel *channel, void *data, size_t size, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    return lipc__in_receive(channel, &(lipc_buffer){data, size}, 1, size, true, NULL, &(size_t){0}, &patience);
}

int64_t lipc_channel_receive_message(lipc_channel *channel, lipc_message *message, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc_message m;
    size_t room;
    int r = lipc__channel_message_of(message, message != NULL ? message->handle_capacity : 0, &m, &room);
    if (r < 0)
        return r;
    return lipc__in_receive(channel, m.buffers, m.buffer_count, room, false, message, &(size_t){0}, &patience);
}

int64_t lipc_channel_message_size(lipc_channel *channel, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    int r = lipc__in_record(channel, &patience);
    return r < 0 ? r : (int64_t)channel->in.size;
}

int64_t lipc_channel_receive_batch(lipc_channel *channel, lipc_buffer *messages, size_t count, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc__in *in = &channel->in;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            patience = lipc__patience_of(0);
            if (lipc__in_record(channel, &patience) < 0 || in->record.kind != LIPC__MESSAGE)
                return (int64_t)i;
        }
        size_t size = 0;
        int64_t r = lipc__in_receive(channel, &messages[i], 1, messages[i].size, false, NULL, &size, &patience);
        const bool cut = lipc_error_code(r) == LIPC_ETRUNCATED;
        if (r < 0 && !cut)
            return i > 0 ? (int64_t)i : r;
        messages[i].size = size;
        if (cut)
            return (int64_t)i + 1;
    }
    return (int64_t)count;
}

int64_t lipc_channel_next(lipc_channel *channel, int timeout_ms, const void **ret_data) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc__in *in = &channel->in;
    int r = in->lent ? 0 : lipc__in_record(channel, &patience);
    if (r == 0)
        r = lipc__in_assemble(channel, &patience);
    if (r < 0)
        return r;
    in->lent = true;
    *ret_data = in->record.payload + in->taken;
    return (int64_t)(in->record.length - in->taken);
}

void lipc_channel_release(lipc_channel *channel) {
    if (channel->in.lent)
        lipc__in_done(channel);
    channel->in.lent = false;
}

int64_t lipc_channel_peek(lipc_channel *channel, void *data, size_t size, int timeout_ms) {
    const void *message;
    if (channel->in.lent)
        return lipc__fault(LIPC_EINVAL);
    int64_t n = lipc_channel_next(channel, timeout_ms, &message);
    if (n < 0)
        return n;
    channel->in.lent = false;
    lipc__scatter(&(lipc_buffer){data, size}, 1, 0, message, (size_t)n);
    return (size_t)n > size ? lipc__fault(LIPC_ETRUNCATED) : n;
}

int64_t lipc_channel_read(lipc_channel *channel, void *data, size_t size, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    lipc__in *in = &channel->in;
    size_t done = 0;
    while (done < size) {
        int r = lipc__in_record(channel, &patience);
        if (r == 0 && in->kept_size > 0)
            r = lipc__in_assemble(channel, &patience);
        if (r < 0 && done == 0)
            return lipc_error_code(r) == LIPC_EEND ? 0 : r;
        if (r < 0)
            break;
        const size_t left = in->record.length - in->taken, n = left < size - done ? left : size - done;
        memcpy((char *)data + done, in->record.payload + in->taken, n);
        in->taken += (uint32_t)n;
        in->size -= (uint32_t)n;
        done += n;
        if (n == left)
            lipc__in_done(channel);
        if (n > 0)
            patience = lipc__patience_of(0);
        r = left == 0 ? lipc__in_skip(channel, &patience) : 0;
        if (r < 0)
            return done > 0 ? (int64_t)done : r;
    }
    return (int64_t)done;
}

/* ----------------------------------------- The whole channel ------------------------------------ */

int lipc_channel_prepare(lipc_channel *channel, int direction, size_t size) {
    lipc__patience patience = lipc__patience_of(LIPC_CHANNEL_ARM);
    lipc__out *out = &channel->out;
    int r;
    if (direction == LIPC_READ) {
        r = lipc__in_record(channel, &patience);
        r = lipc_error_code(r) == LIPC_EEND ? 0 : r;
    } else if (direction == LIPC_WRITE) {
        char *payload;
        const bool reserved = out->reserved;
        r = lipc__out_enter(channel, true);
        out->reserved = reserved;
        if (r == 0 && !channel->shared)
            r = lipc__flush(channel, &patience); /* a message counts as sent when it has left the buffer */
        else if (r == 0 && !reserved)
            r = lipc__out_room(channel, size < out->limit ? (uint32_t)size : out->limit, &patience, &payload);
    } else {
        return lipc__fault(LIPC_EINVAL);
    }
    return lipc_error_code(r) == LIPC_EAGAIN ? 1 : r;
}

int lipc_channel_shared(const lipc_channel *channel) {
    return channel->shared;
}

lipc_handle lipc_channel_handle(const lipc_channel *channel, int direction) {
    return direction == LIPC_WRITE && channel->shared ? channel->room : channel->connection;
}

/* Lets the peer know that this half consumes no more. */
static void lipc__in_end(lipc_channel *c) {
    enum { MOST_READS = 1024 }; /* of what is on its way: more than any system keeps */
    c->in.ended = true;
    c->in.left_in = NULL;
    if (!c->in.lent) { /* that stays until lipc_channel_release() */
        c->in.have = false;
        lipc__in_message_end(&c->in);
    }
    if (c->shared) {
        lipc__store(&c->in_words->consumer.word, LIPC__GONE);
        lipc__wake_producer(c);
    } else {
        lipc__connection_shutdown(c, LIPC_READ);
        /* A sender that waits for room only wakes up when there is room. It then finds that it cannot send. */
        char bytes[4096]; /* the buffer may have a message that was lent */
        for (int i = 0; i < MOST_READS && lipc__receive_raw(c, bytes, sizeof bytes, 0, NULL) > 0; i++) {
        }
    }
}

/* Lets the peer know that no more is sent. */
static int lipc__out_end(lipc_channel *c, lipc__patience *patience) {
    static const uint32_t header[2] = {(uint32_t)LIPC__FINISH << LIPC__KIND_SHIFT, 0};
    lipc__out *out = &c->out;
    if (!out->finished && c->shared) {
        lipc__ring_finish(&out->ring);
    } else if (!out->finished) {
        memcpy(out->buffer + out->end, header, sizeof header);
        out->end += sizeof header;
    }
    out->finished = true;
    out->reserved = out->begun = false;
    return lipc__out_push(c, patience);
}

int lipc_channel_shutdown(lipc_channel *channel, int direction, int timeout_ms) {
    lipc__patience patience = lipc__patience_of(timeout_ms);
    if (direction < LIPC_READ || direction > (LIPC_READ | LIPC_WRITE))
        return lipc__fault(LIPC_EINVAL);
    if (lipc__load(&channel->dead))
        return lipc__fault(LIPC_EPROTO);
    if (direction & LIPC_READ)
        lipc__in_end(channel);
    return direction & LIPC_WRITE ? lipc__out_end(channel, &patience) : 0;
}

/* Whether the handshake is complete. */
static bool lipc__is_open(const lipc_channel *c) {
    return c->out.limit != 0;
}

void lipc_channel_detach(lipc_channel *channel) {
    lipc_channel *c = channel;
    if (!lipc__is_open(c) && c->room != LIPC_INVALID_HANDLE)
        lipc_close(c->room);
    lipc__in_forget(&c->in);
    lipc__files_close(&c->in.files);
    lipc__handshake_end(c);
    lipc__memory_release(c);
    free(c->out.buffer);
    free(c->in.buffer);
    free(c);
}

void lipc_channel_close(lipc_channel *channel) {
    lipc_channel *c = channel;
    if (c == NULL)
        return;
    const lipc_handle connection = c->connection, room = lipc__is_open(c) ? c->room : LIPC_INVALID_HANDLE;
    if (lipc__is_open(c) && !lipc__load(&c->dead)) {
        lipc__patience patience = lipc__patience_of(0);
        lipc__out_end(c, &patience);
        if (c->shared)
            lipc__in_end(c);
    }
    lipc_channel_detach(c);
    if (room != LIPC_INVALID_HANDLE)
        lipc_close(room);
    if (connection != LIPC_INVALID_HANDLE)
        lipc_close(connection);
}
