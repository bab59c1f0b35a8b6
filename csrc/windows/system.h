/* What the core needs of Windows. */
#ifndef LIPC_WINDOWS_SYSTEM_H
#define LIPC_WINDOWS_SYSTEM_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#endif
