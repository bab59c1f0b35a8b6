/* Declarations that the files of the core share. Internal names begin with lipc__. */
#ifndef LIPC_INTERNAL_H
#define LIPC_INTERNAL_H

#ifdef _WIN32
#include "windows/system.h"
#else
#include "unix/system.h"
#endif

#include <stdbool.h>
#include <string.h>

#include "lipc.h"
#include "lipc_channel.h"
#include "lipc_signal.h"
#ifdef _WIN32
#include "lipc_windows.h"
#else
#include "lipc_unix.h"
#endif
#include "sys.h"

#define LIPC__STATIC_ASSERT(name, condition) typedef char lipc__assert_##name[(condition) ? 1 : -1]

/* How the environment is read. A build beside another owner of the environment defines it: see internal/core/lipc.c. */
#ifndef LIPC__GETENV
#define LIPC__GETENV(variable) getenv(variable)
#endif

/* For what follows a first attempt that failed. Most calls succeed at once, so this code is kept away from theirs. */
#ifdef __GNUC__
#define LIPC__UNLIKELY __attribute__((cold, noinline))
#else
#define LIPC__UNLIKELY
#endif

/* portable/error.c */
static int lipc__error(int code, int os);
static int lipc__options(void *ret_options, size_t known, const void *options);

/* unix/error.c, windows/error.c: an error that the library finds before the system could */
static int lipc__fault(int code);

/* unix/wait.c, windows/wait.c: the system's part of portable/deadline.c and portable/spin.c */
static int64_t lipc__now_us(void); /* the time of a monotonic clock, in microseconds */
static int lipc__processors(void);
static void lipc__sleep_ms(int milliseconds);

/* unix/name.c, windows/name.c: the system's part of portable/name.c */
static int lipc__name_valid(int type, const char *text, size_t length);

/* portable/name.c: for the system's part */
static bool lipc__is_portable(const char *text, size_t length);

/* portable/channel_handshake.c: for portable/channel.c, which closes channels in any state */
static void lipc__handshake_end(lipc_channel *channel);
static void lipc__memory_release(lipc_channel *channel);

/* unix/signal.c, windows/signal.c: the system's part of portable/signal.c */
typedef struct lipc__signal_wish { /* what all watches of a signal together ask for */
    bool child_stops, interrupts, forwards;
} lipc__signal_wish;
struct lipc__deadline;
static void lipc__process_mark(void); /* before lipc__process(), but not in handlers */
static uint32_t lipc__process(void);  /* not 0; another in a child that fork(2) created */
static void *lipc__pages(size_t size); /* zeroes, which take memory when they are first used; NULL: no memory */
static void lipc__pages_free(void *memory, size_t size);
static int lipc__signal_index(int signal); /* less than LIPC__SIGNALS; an error if it cannot be watched */
static int lipc__signal_install(int index, const lipc__signal_wish *wish, bool begins); /* begins: for a new watch */
static void lipc__signal_restore(int index); /* restores the disposition from before the first watch */
static int lipc__signal_bell(lipc_handle *ret_handle, lipc_handle *ret_bell);
static void lipc__signal_bell_close(lipc_handle handle, lipc_handle bell);
static bool lipc__signal_ring(lipc_handle bell);   /* makes the handle readable; returns false if it could not */
static int lipc__signal_hush(lipc_handle handle);  /* makes it not readable; returns whether it was */
/* Waits until the handle is readable, but may return before. */
static int lipc__signal_await(lipc_handle handle, struct lipc__deadline *deadline);

#ifndef _WIN32
/* unix/pipe.c: for unix/handle.c, when a descriptor is not a socket */
static int lipc__pipe_kind(int fd);
static int lipc__pipe_size(int fd);
static int lipc__pipe_set_size(int fd, int size);
#endif

#endif
