/* Channels: messages and bytes through rings in shared memory, or over the connection. docs/channel-protocol.md
 * describes the protocol. Here is what an end consists of, what its connection brings, and how it waits.
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
