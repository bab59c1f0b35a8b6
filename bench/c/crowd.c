#include "crowd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 64 }; /* of one call of epoll_wait(2) */

static const transport *t; /* of the variant */

/* An end of one of many connections, which receives units and sends them. */
typedef struct party {
    intptr_t connection;
    size_t position; /* in the unit that is being received or sent */
    bool sending;
    bool watches_for_room;
    char unit[];
} party;

static int events; /* from epoll_create1(2) */

static void begin(void) {
    t = task.variant->transport;
    events = epoll_create1(EPOLL_CLOEXEC);
    if (events < 0)
        fail("epoll_create1: %s", strerror(errno));
}

static void watch(int operation, int descriptor, uint32_t wanted, party *p) {
    struct epoll_event event = {.events = wanted, .data.ptr = p};
    if (epoll_ctl(events, operation, descriptor, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static int wait_for_events(struct epoll_event *ready_events) {
    int n = epoll_wait(events, ready_events, EVENTS, -1);
    if (n < 0 && errno != EINTR)
        fail("epoll_wait: %s", strerror(errno));
    return n;
}

static int descriptor_of(intptr_t c) {
    return t->descriptor != NULL ? t->descriptor(c) : (int)c;
}

static party *open_party(intptr_t c) {
    party *p = allocate(sizeof *p + task.size);
    p->connection = c;
    watch(EPOLL_CTL_ADD, descriptor_of(c), EPOLLIN, p);
    return p;
}

/* Reads what has come. Returns END, WAIT if the unit is not complete, or 1 if it is. */
static int receive_more(party *p) {
    int64_t n = t->read(p->connection, p->unit + p->position, task.size - p->position);
    if (n == END || n == WAIT)
        return (int)n;
    p->position += (size_t)n;
    if (p->position < task.size)
        return WAIT;
    p->position = 0;
    return 1;
}

/* Sends what there is room for. If that is not everything, watches for room. */
static void send_more(party *p) {
    p->sending = true;
    int64_t n = t->write(p->connection, p->unit + p->position, task.size - p->position);
    if (n != WAIT)
        p->position += (size_t)n;
    if (p->position == task.size) {
        p->position = 0;
        p->sending = false;
    }
    if (p->sending != p->watches_for_room) {
        watch(EPOLL_CTL_MOD, descriptor_of(p->connection), p->sending ? EPOLLOUT : EPOLLIN, p);
        p->watches_for_room = p->sending;
    }
}

static void serve_party(party *p) {
    int received;
    do {
        received = p->sending ? 1 : receive_more(p);
        if (received == 1)
            send_more(p);
    } while (received == 1 && !p->sending && t->arms);
    if (received == END) {
        t->close(p->connection);
        free(p);
    }
}

static void accept_all(void) {
    for (intptr_t c = t->accept(); c != WAIT; c = t->accept()) {
        party *p = open_party(c);
        if (t->arms)
            serve_party(p);
    }
}

void serve_crowd(intptr_t listener) {
    begin();
    watch(EPOLL_CTL_ADD, (int)listener, EPOLLIN, NULL);
    for (;;) {
        struct epoll_event brought[EVENTS];
        int n = wait_for_events(brought);
        for (int i = 0; i < n; i++) {
            if (brought[i].data.ptr == NULL)
                accept_all();
            else
                serve_party(brought[i].data.ptr);
        }
    }
}

static party **parties;

void open_crowd(void) {
    begin();
    parties = allocate(task.count * sizeof *parties);
    for (size_t i = 0; i < task.count; i++)
        parties[i] = open_party(t->connect());
}

/* A round of BUSY. */
static struct {
    uint64_t end, operations;
    size_t left; /* connections whose last round trip is not over */
    bool over;
} crowd;

static void go_on_asking(party *p) {
    bool sends;
    do {
        int received = p->sending ? WAIT : receive_more(p);
        if (received == END)
            fail("the server ended a connection");
        if (received == 1) {
            crowd.operations++;
            crowd.over = crowd.over || time_is_up(crowd.operations, crowd.end);
            crowd.left -= crowd.over;
        }
        sends = p->sending || (received == 1 && !crowd.over);
        if (sends)
            send_more(p);
    } while (t->arms && sends && !p->sending);
}

uint64_t busy_crowd(uint64_t end) {
    crowd.end = end;
    crowd.operations = 0;
    crowd.left = task.count;
    crowd.over = false;
    for (size_t i = 0; i < task.count; i++) {
        send_more(parties[i]);
        if (t->arms)
            go_on_asking(parties[i]);
    }
    while (crowd.left > 0) {
        struct epoll_event brought[EVENTS];
        int n = wait_for_events(brought);
        for (int i = 0; i < n; i++)
            go_on_asking(brought[i].data.ptr);
    }
    return crowd.operations;
}
