/* Both halves of a channel: waiting for either, shutting down, closing. */

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
