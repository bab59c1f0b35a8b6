/* Watches of signals, and what handlers put into them. This is the library's only global state, together with what
 * unix/signal.c and windows/signal.c keep about the system's handlers.
 *
 * A handler runs at any moment. It finds a watch by its bit in lipc__signals.watchers, counts itself in the watch's
 * users, and reads the bit again. So after a thread has cleared the bit and then found no users, no handler uses the
 * watch, and none will. Everything else changes under the lock, which handlers never take. */

typedef struct lipc__signal_watch {
    uint32_t key;   /* of the handle, see lipc__signal_key(); 0: this watch is not in use */
    uint32_t users; /* how many handlers use it */
    uint32_t rung;  /* whether the bell was rung since the reader last hushed it, or is being rung */
    lipc_handle handle, bell;  /* the reader waits for the handle, which handlers make readable with the bell */
    lipc__signal_queue *queue; /* NULL: the watch is the parent process's, and can only be closed */
    lipc_signal_options options;
    bool wants[LIPC__SIGNALS];
} lipc__signal_watch;

enum { LIPC__WATCH_WORDS = LIPC_SIGNAL_WATCHES / 32 };

static struct {
    uint32_t lock;    /* the process that holds it, lipc__process(); 0: none */
    uint32_t process; /* the process whose watches these are; 0: there never was a watch */
    uint32_t watchers[LIPC__SIGNALS][LIPC__WATCH_WORDS]; /* by index of the signal: a bit for each watch */
    lipc__signal_watch watches[LIPC_SIGNAL_WATCHES];
} lipc__signals;

/* ---------------------------------------- In handlers ------------------------------------------- */

/* Makes the handle readable, unless that was done already. If the system has no memory for it, the next signal does. */
static void lipc__signal_tell(lipc__signal_watch *watch) {
    if (lipc__exchange(&watch->rung, 1) == 0 && !lipc__signal_ring(watch->bell))
        lipc__exchange(&watch->rung, 0);
}

/* Puts a signal into all watches of it. index: lipc__signal_index(). is_stop: it reports a child that has not ended. */
static void lipc__signal_record(int index, const lipc_signal_info *info, bool is_stop) {
    for (unsigned i = 0; i < LIPC_SIGNAL_WATCHES; i++) {
        lipc__signal_watch *watch = &lipc__signals.watches[i];
        uint32_t *word = &lipc__signals.watchers[index][i / 32], bit = 1u << (i % 32);
        if ((lipc__load(word) & bit) == 0)
            continue;
        lipc__add(&watch->users, 1);
        if ((lipc__add(word, 0) & bit) != 0 && (!is_stop || watch->options.child_stops)) {
            lipc__signal_put(watch->queue, info);
            lipc__signal_tell(watch);
        }
        lipc__add(&watch->users, (uint32_t)-1);
    }
}

/* ---------------------------------------- Outside of them --------------------------------------- */

static uint32_t lipc__signal_key(lipc_handle handle) {
    return (uint32_t)handle + 1; /* 0 is a handle on Unix; handles of Windows have 32 significant bits */
}

/* Finds out what all watches of a signal together ask for. Returns false if there are none. */
static bool lipc__signal_wishes(int index, lipc__signal_wish *ret_wish) {
    bool watched = false;
    memset(ret_wish, 0, sizeof *ret_wish);
    for (lipc__signal_watch *w = lipc__signals.watches; w < lipc__signals.watches + LIPC_SIGNAL_WATCHES; w++)
        if (w->key != 0 && w->wants[index]) {
            watched = true;
            ret_wish->child_stops |= w->options.child_stops != 0;
            ret_wish->interrupts |= w->options.interrupts != 0;
            ret_wish->forwards |= w->options.forwards != 0;
        }
    return watched;
}

static void lipc__signal_mark(const lipc__signal_watch *watch, int index, bool on) {
    unsigned i = (unsigned)(watch - lipc__signals.watches);
    uint32_t bit = 1u << (i % 32);
    lipc__add(&lipc__signals.watchers[index][i / 32], on ? bit : 0 - bit); /* only the lock's holder changes the bit */
}

static void lipc__signal_drop_queue(lipc__signal_watch *watch) {
    lipc__signal_queue *queue = watch->queue;
    watch->queue = NULL;
    lipc__fence_compiler(); /* another thread may fork(2) at any moment, and the child frees what is still here */
    lipc__signal_queue_free(queue);
}

/* Stops watching all signals of a watch, and waits until no handler uses it. The previous handler is restored before
 * the bit is cleared, so that no signal comes to the library's handler without a watch. */
static void lipc__signal_forget(lipc__signal_watch *watch) {
    lipc__signal_wish wish;
    bool wanted[LIPC__SIGNALS];
    memcpy(wanted, watch->wants, sizeof wanted);
    memset(watch->wants, 0, sizeof watch->wants);
    for (int i = 0; i < LIPC__SIGNALS; i++)
        if (wanted[i]) {
            if (lipc__signal_wishes(i, &wish))
                (void)lipc__signal_install(i, &wish, false); /* if it fails, the handler stays as it was */
            else
                lipc__signal_restore(i);
            lipc__signal_mark(watch, i, false);
        }
    while (lipc__add(&watch->users, 0) != 0)
        lipc__sleep_ms(1);
    lipc__signal_drop_queue(watch);
}

/* For a child that fork(2) created, to which its parent's watches do not belong. Other threads of the parent, which the
 * child does not have, may have been in the middle of changing anything. */
static void lipc__signal_inherit(void) {
    for (int i = 0; i < LIPC__SIGNALS; i++)
        lipc__signal_restore(i);
    memset(lipc__signals.watchers, 0, sizeof lipc__signals.watchers);
    for (lipc__signal_watch *w = lipc__signals.watches; w < lipc__signals.watches + LIPC_SIGNAL_WATCHES; w++) {
        w->users = 0;
        memset(w->wants, 0, sizeof w->wants);
        lipc__signal_drop_queue(w);
    }
}

/* The lock is the process of its holder. So in a child, a lock that a thread of the parent held at fork(2) is free. */
static void lipc__signal_enter(void) {
    lipc__process_mark();
    const uint32_t self = lipc__process();
    for (;;) {
        uint32_t holder = lipc__load(&lipc__signals.lock);
        if (holder != self && lipc__replace(&lipc__signals.lock, holder, self))
            break;
        lipc__sleep_ms(1);
    }
    if (lipc__load(&lipc__signals.process) == self)
        return;
    if (lipc__load(&lipc__signals.process) != 0)
        lipc__signal_inherit();
    lipc__exchange(&lipc__signals.process, self);
}

static void lipc__signal_leave(void) {
    lipc__store_release(&lipc__signals.lock, 0);
}

/* Returns NULL if no watch has the key. The key 0 finds a watch that is not in use. */
static lipc__signal_watch *lipc__signal_find(uint32_t key) {
    for (lipc__signal_watch *w = lipc__signals.watches; w < lipc__signals.watches + LIPC_SIGNAL_WATCHES; w++)
        if (lipc__load_acquire(&w->key) == key)
            return w;
    return NULL;
}

static lipc__signal_watch *lipc__signal_watch_of(lipc_handle handle) {
    return handle == LIPC_INVALID_HANDLE ? NULL : lipc__signal_find(lipc__signal_key(handle));
}

/* Fills a watch that is not in use, and begins to watch its signals. */
static int lipc__signal_begin(lipc__signal_watch *watch, const lipc__signal_watch *what) {
    watch->rung = 0;
    watch->handle = what->handle;
    watch->bell = what->bell;
    watch->queue = what->queue;
    watch->options = what->options;
    memcpy(watch->wants, what->wants, sizeof watch->wants);
    lipc__store_release(&watch->key, lipc__signal_key(what->handle));
    for (int i = 0; i < LIPC__SIGNALS; i++)
        if (watch->wants[i])
            lipc__signal_mark(watch, i, true);
    for (int i = 0; i < LIPC__SIGNALS; i++) {
        if (!watch->wants[i])
            continue;
        lipc__signal_wish wish;
        lipc__signal_wishes(i, &wish);
        int r = lipc__signal_install(i, &wish, true);
        if (r < 0) {
            lipc__signal_forget(watch);
            lipc__store_release(&watch->key, 0);
            return r;
        }
    }
    return 0;
}

int lipc_signal_watch(const int *signals, size_t count, const lipc_signal_options *options, lipc_handle *ret_handle) {
    lipc__signal_watch what = {0};
    int r = lipc__options(&what.options, sizeof what.options, options);
    if (r < 0)
        return r;
    if (count == 0 || what.options.queue_size > LIPC_SIGNAL_QUEUE_MAX)
        return lipc__fault(LIPC_EINVAL);
    for (size_t i = 0; i < count; i++) {
        int index = lipc__signal_index(signals[i]);
        if (index < 0)
            return index;
        what.wants[index] = true;
    }
    what.queue =
        lipc__signal_queue_create(what.options.queue_size > 0 ? what.options.queue_size : LIPC_SIGNAL_QUEUE_DEFAULT);
    if (what.queue == NULL)
        return lipc__fault(LIPC_ENOMEM);
    r = lipc__signal_bell(&what.handle, &what.bell);
    if (r < 0) {
        lipc__signal_queue_free(what.queue);
        return r;
    }
    lipc__signal_enter();
    /* If another thread created a watch during fork(2), the child may have the watch but not its handle. The number of
     * that handle can then be the number of the new one. It can also be if the program closed the handle by mistake. */
    lipc__signal_watch *ghost = lipc__signal_watch_of(what.handle);
    if (ghost != NULL) {
        lipc__signal_forget(ghost);
        lipc__store_release(&ghost->key, 0);
    }
    lipc__signal_watch *watch = lipc__signal_find(0);
    if (watch == NULL)
        lipc__signal_queue_free(what.queue);
    r = watch == NULL ? lipc__fault(LIPC_EMFILE) : lipc__signal_begin(watch, &what);
    lipc__signal_leave();
    if (r < 0)
        lipc__signal_bell_close(what.handle, what.bell);
    else
        *ret_handle = what.handle;
    return r;
}

int lipc_signal_next(lipc_handle handle, int timeout_ms, lipc_signal_info *ret_info) {
    lipc__deadline deadline = {.timeout_ms = timeout_ms};
    lipc_signal_info info;
    size_t size = ret_info->size;
    if (size < sizeof size)
        return lipc__fault(LIPC_EINVAL);
    lipc__signal_watch *watch = lipc__signal_watch_of(handle);
    if (watch == NULL || watch->queue == NULL || lipc__load(&lipc__signals.process) != lipc__process())
        return lipc__fault(LIPC_EBADF);
    while (!lipc__signal_take(watch->queue, &info)) {
        int r = lipc__signal_hush(handle);
        if (r > 0) /* a signal that is put from now on rings again; one that was put before can be taken */
            lipc__exchange(&watch->rung, 0);
        else if (r == 0)
            r = lipc__signal_await(handle, &deadline);
        if (r < 0)
            return r;
    }
    if (lipc__signal_waits(watch->queue))
        lipc__signal_tell(watch);
    memcpy(ret_info, &info, size < sizeof info ? size : sizeof info);
    ret_info->size = size;
    return 0;
}

int lipc_signal_close(lipc_handle handle) {
    lipc__signal_enter();
    lipc__signal_watch *watch = lipc__signal_watch_of(handle);
    if (watch != NULL) {
        lipc_handle bell = watch->bell;
        lipc__signal_forget(watch);
        lipc__store_release(&watch->key, 0);
        lipc__signal_bell_close(handle, bell);
    }
    lipc__signal_leave();
    return watch == NULL ? lipc__fault(LIPC_EBADF) : 0;
}
