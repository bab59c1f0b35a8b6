/* The half of a channel that receives. */

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
