/* Many connections at a time, by epoll(7). */
#ifndef CROWD_H
#define CROWD_H

#include "contender.h"

/* Serves all that connect, until the process ends. */
_Noreturn void serve_crowd(intptr_t listener);

/* Opens the connections of a client of BUSY, and makes round trips on all of them until that time. Returns how many. */
void open_crowd(void);
uint64_t busy_crowd(uint64_t end);

#endif
