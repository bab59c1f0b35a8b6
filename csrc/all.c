//go:build ignore

/* The whole library as one translation unit. Everything internal is static and has a name of its own. */
#include "internal.h"

#include "portable/error.c"
#include "portable/name.c"
#include "portable/deadline.c"
#include "portable/spin.c"

#ifdef _WIN32
#include "windows/error.c"
#else
#include "unix/error.c"
#endif

/* The analyzer does not look into every call. Unless it is told that these return an error, it follows paths on which
 * an error counts as a success. */
#ifdef __clang_analyzer__
#define lipc__negative(result) \
    ({ \
        int lipc__result = (result); \
        __builtin_assume(lipc__result < 0); \
        lipc__result; \
    })
#define lipc__error(code, os) lipc__negative(lipc__error(code, os))
#define lipc__fault(code) lipc__negative(lipc__fault(code))
#define lipc__error_from(os) lipc__negative(lipc__error_from(os))
#endif

#ifdef _WIN32
#include "windows/wait.c"
#include "windows/security.c"
#include "windows/name.c"
#include "windows/handle.c"
#include "windows/credentials.c"
#include "portable/policy.c"
#include "windows/operation.c"
#include "windows/transfer.c"
#include "windows/synchronous.c"
#include "windows/lock.c"
#include "windows/instance.c"
#include "windows/listener.c"
#include "windows/connect.c"
#include "windows/pipe.c"
#include "windows/stream.c"
#include "windows/message.c"
#include "windows/ancillary.c"
#include "windows/named_pipe.c"
#include "windows/async.c"
#include "windows/constant.c"
#else
#include "unix/wait.c"
#include "unix/name.c"
#include "unix/handle.c"
#include "unix/user_namespace.c"
#include "unix/credentials.c"
#include "portable/policy.c"
#include "unix/sock_diag.c"
#include "unix/file.c"
#include "unix/address.c"
#include "unix/lock.c"
#include "unix/socket_file.c"
#include "unix/obstacle.c"
#include "unix/listener.c"
#include "unix/connect.c"
#include "unix/control.c"
#include "unix/sigpipe.c"
#include "unix/transfer.c"
#include "unix/pipe.c"
#include "unix/stream.c"
#include "unix/copy.c"
#include "unix/message.c"
#include "unix/ancillary.c"
#include "unix/datagram.c"
#include "unix/fifo.c"
#include "unix/activation.c"
#include "unix/channel_memory.c"
#include "unix/constant.c"
#endif

#ifndef LIPC__SHARES_MEMORY
#include "portable/channel_no_memory.c"
#endif
#include "portable/ring.c"
#include "portable/channel_wait.c"
#include "portable/channel_send.c"
#include "portable/channel_receive.c"
#include "portable/channel.c"
#include "portable/channel_handshake.c"
#include "portable/channel_sans_io.c"

#include "portable/signal_queue.c"
#include "portable/signal.c"
#ifdef _WIN32
#include "windows/signal.c"
#else
#include "unix/signal.c"
#endif
#ifndef LIPC__SIGNALS_THREADS
#include "portable/signal_no_threads.c"
#endif

#include "portable/constant.c"
