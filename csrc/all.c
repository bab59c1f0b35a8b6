/* The whole library as one translation unit: everything internal is static, its name unique. */
#include "internal.h"

#include "error.c"
#include "name.c"

#ifdef _WIN32
#include "windows/error.c"
#include "windows/name.c"
#include "windows/handle.c"
#include "windows/listener.c"
#include "windows/connect.c"
#include "windows/stream.c"
#include "windows/message.c"
#include "windows/credentials.c"
#include "windows/pipe.c"
#else
#include "unix/error.c"
#include "unix/wait.c"
#include "unix/name.c"
#include "unix/handle.c"
#include "unix/lock.c"
#include "unix/credentials.c"
#include "unix/listener.c"
#include "unix/connect.c"
#include "unix/pipe.c"
#include "unix/control.c"
#include "unix/stream.c"
#include "unix/message.c"
#include "unix/ancillary.c"
#include "unix/datagram.c"
#include "unix/fifo.c"
#include "unix/activation.c"
#endif
