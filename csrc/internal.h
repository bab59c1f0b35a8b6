/* What the files of the core share. Internal names begin with lipc__. */
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
#ifdef _WIN32
#include "lipc_windows.h"
#else
#include "lipc_unix.h"
#endif
#include "sys.h"

#define LIPC__STATIC_ASSERT(name, condition) typedef char lipc__assert_##name[(condition) ? 1 : -1]

/* What follows when the first attempt of a call fails is kept out of the way: most calls end there. */
#ifdef __GNUC__
#define LIPC__UNLIKELY __attribute__((cold, noinline))
#else
#define LIPC__UNLIKELY
#endif

/* portable/error.c */
static int lipc__error(int code, int os);
static int lipc__options(void *ret_options, size_t known, const void *options);

/* unix/error.c, windows/error.c: an error that the library found itself */
static int lipc__fault(int code);

/* unix/wait.c, windows/wait.c: what portable/deadline.c and portable/spin.c need of the system */
static int64_t lipc__now_us(void); /* of a monotonic clock */
static int lipc__processors(void);
static void lipc__sleep_ms(int milliseconds);

/* unix/name.c, windows/name.c: what portable/name.c needs of the system */
static int lipc__name_valid(int type, const char *text, size_t length);

#ifndef _WIN32
/* unix/pipe.c: what unix/handle.c reports of a descriptor that is not a socket */
static int lipc__pipe_kind(int fd);
static int lipc__pipe_size(int fd);
static int lipc__pipe_set_size(int fd, int size);
#endif

#endif
