/* The half of a channel that sends. */

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
