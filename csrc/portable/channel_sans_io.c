/* Channels without a connection: the caller moves the bytes. What a call would receive is put where
 * lipc_channel_input() says, and what a call would send is where lipc_channel_output() says. Everything else is as with
 * a connection that never has anything to receive nor room to send. */

int lipc_channel_start_sans_io(const lipc_channel_options *options, lipc_channel **ret_channel) {
    lipc_channel_options o;
    int r = lipc__channel_options(options, &o);
    if (r < 0)
        return r;
    if (o.memory == LIPC_CHANNEL_REQUIRE)
        return lipc__fault(LIPC_ENOTSUP);
    o.memory = LIPC_CHANNEL_NEVER;
    o.spin_us = 0; /* nothing comes during a call */
    o.max_handles = 0; /* they would be lost where the caller reads */
    r = lipc__channel_create(LIPC_INVALID_HANDLE, &o, ret_channel);
    if (r == 0) /* those of messages, which nobody reports */
        memset(&(*ret_channel)->in.files.credentials, 0xff, sizeof(lipc_credentials));
    return r;
}

/* A record that was read stays where it is until it is consumed. */
int64_t lipc_channel_input(lipc_channel *channel, void **ret_data) {
    lipc__in *in = &channel->in;
    char *data = NULL;
    if (lipc__has_connection(channel))
        return lipc__fault(LIPC_EINVAL);
    if (lipc__load(&channel->dead))
        return lipc__fault(LIPC_EPROTO);
    if (in->sleeper.ended || in->ended || in->have)
        return 0;
    int64_t size;
    if (lipc__is_open(channel)) {
        size = (int64_t)lipc__fill_room(in, false);
        data = in->buffer + in->end;
    } else {
        size = lipc__handshake_room(channel, &data);
    }
    if (size > 0)
        *ret_data = data;
    return size;
}

void lipc_channel_input_done(lipc_channel *channel, size_t size) {
    if (size == 0)
        channel->in.sleeper.ended = true;
    else if (lipc__is_open(channel))
        channel->in.end += size;
    else
        channel->handshake.done += size;
}

int64_t lipc_channel_output(lipc_channel *channel, const void **ret_data) {
    const lipc__out *out = &channel->out;
    const lipc__handshake *h = &channel->handshake;
    if (lipc__has_connection(channel))
        return lipc__fault(LIPC_EINVAL);
    if (lipc__load(&channel->dead))
        return lipc__fault(LIPC_EPROTO);
    const char *data = h->bytes + h->done;
    size_t size = lipc__handshake_sends(channel);
    if (size > 0)
        size -= h->done;
    if (lipc__is_open(channel)) {
        data = out->buffer + out->start;
        size = out->end - out->start;
    }
    if (size > 0)
        *ret_data = data;
    return (int64_t)size;
}

void lipc_channel_output_done(lipc_channel *channel, size_t size) {
    if (lipc__is_open(channel))
        channel->out.start += size;
    else
        channel->handshake.done += size;
}
