/* The signals that wait to be taken from a watch. Handlers put them there, in any number of threads, and a handler may
 * interrupt another. One thread at a time takes them. This is the bounded queue of Dmitry Vyukov, with one consumer.
 * Nothing here waits, locks or calls the system, except to create and free a queue. */

#ifdef __GNUC__
static uint32_t lipc__add(uint32_t *word, uint32_t n) { /* sequentially consistent; returns the old value */
    return __atomic_fetch_add(word, n, __ATOMIC_SEQ_CST);
}

static uint32_t lipc__exchange(uint32_t *word, uint32_t value) {
    return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}
#else
static uint32_t lipc__add(uint32_t *word, uint32_t n) {
    return (uint32_t)InterlockedExchangeAdd((volatile LONG *)word, (LONG)n);
}

static uint32_t lipc__exchange(uint32_t *word, uint32_t value) {
    return (uint32_t)InterlockedExchange((volatile LONG *)word, (LONG)value);
}
#endif

/* A place for a signal. Positions count up for ever, and wrap at 2^32. turn plus the index of the place is the position
 * of the signal that may be put here next. If the signal here may be taken, it is that signal's position plus 1. So a
 * queue begins as zeroes, and memory that is not used is not touched. */
typedef struct lipc__signal_place {
    uint32_t turn;
    lipc_signal_info info;
} lipc__signal_place;

typedef struct lipc__signal_queue {
    uint32_t mask;     /* the number of places, minus 1 */
    uint32_t end;      /* the position where the next signal is put */
    uint32_t start;    /* the position where the next is taken; only the reader uses it */
    uint32_t dropped;  /* how many did not fit */
    uint32_t reported; /* how many of these were reported to the reader */
    lipc__signal_place places[];
} lipc__signal_queue;

static size_t lipc__signal_queue_size(uint32_t places) {
    return sizeof(lipc__signal_queue) + (size_t)places * sizeof(lipc__signal_place);
}

/* Returns NULL if there is no memory. */
static lipc__signal_queue *lipc__signal_queue_create(uint32_t size) {
    uint32_t places = 2;
    while (places < size)
        places *= 2;
    lipc__signal_queue *queue = SYS_ALLOCATE(lipc__pages(lipc__signal_queue_size(places)));
    if (queue != NULL)
        queue->mask = places - 1;
    return queue;
}

/* NULL is allowed. */
static void lipc__signal_queue_free(lipc__signal_queue *queue) {
    if (queue != NULL)
        lipc__pages_free(queue, lipc__signal_queue_size(queue->mask + 1));
}

/* Puts a signal, or counts it as dropped if the queue is full. The reader gets the count with the next that it takes.
 * */
static void lipc__signal_put(lipc__signal_queue *queue, const lipc_signal_info *info) {
    for (;;) {
        uint32_t at = lipc__load(&queue->end), index = at & queue->mask;
        lipc__signal_place *place = &queue->places[index];
        int32_t behind = (int32_t)(at - (lipc__load_acquire(&place->turn) + index));
        if (behind > 0) { /* what was put here last time is still there */
            lipc__add(&queue->dropped, 1);
            return;
        }
        if (behind == 0 && lipc__replace(&queue->end, at, at + 1)) {
            place->info = *info;
            lipc__store_release(&place->turn, at + 1 - index);
            return;
        }
    }
}

/* Returns whether a signal can be taken. */
static bool lipc__signal_waits(lipc__signal_queue *queue) {
    uint32_t index = queue->start & queue->mask;
    return lipc__load_acquire(&queue->places[index].turn) + index == queue->start + 1;
}

/* Returns false if there is none. */
static bool lipc__signal_take(lipc__signal_queue *queue, lipc_signal_info *ret_info) {
    if (!lipc__signal_waits(queue))
        return false;
    uint32_t index = queue->start & queue->mask;
    *ret_info = queue->places[index].info;
    lipc__store_release(&queue->places[index].turn, queue->start + queue->mask + 1 - index);
    queue->start++;
    uint32_t dropped = lipc__load(&queue->dropped);
    ret_info->dropped = dropped - queue->reported;
    queue->reported = dropped;
    return true;
}
