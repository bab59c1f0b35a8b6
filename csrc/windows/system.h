/* The headers of Windows, and declarations that they lack. */
#ifndef LIPC_WINDOWS_SYSTEM_H
#define LIPC_WINDOWS_SYSTEM_H

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601 /* Windows 7 */
#endif
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <limits.h>
#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <winternl.h>

#ifdef _MSC_VER
#pragma comment(lib, "advapi32.lib")
#pragma comment(lib, "ntdll.lib")
#endif

/* Numbers that winternl.h lacks, from ntifs.h in the Windows Driver Kit. */
enum {
    LIPC__FILE_ACCESS_INFORMATION = 8,
    LIPC__FILE_MODE_INFORMATION = 16,
    LIPC__FILE_PIPE_LOCAL_INFORMATION = 24,
    LIPC__FILE_FS_DEVICE_INFORMATION = 4,
    LIPC__FILE_REMOTE_DEVICE = 0x10,
    LIPC__FSCTL_PIPE_PEEK = 0x11400C,
    LIPC__PIPE_CONNECTED = 3,    /* FILE_PIPE_CONNECTED_STATE */
    LIPC__PIPE_TYPE_MESSAGE = 1, /* FILE_PIPE_MESSAGE_TYPE, FILE_PIPE_MESSAGE_MODE */
    LIPC__PIPE_REJECT_REMOTE = 2 /* FILE_PIPE_REJECT_REMOTE_CLIENTS */
};

/* Events of consoles have numbers below this. */
enum { LIPC__SIGNALS = CTRL_SHUTDOWN_EVENT + 1 };

typedef struct lipc__pipe_local_information { /* FILE_PIPE_LOCAL_INFORMATION */
    ULONG type, configuration, maximum_instances, current_instances, inbound_quota, read_data_available, outbound_quota,
        write_quota_available, state, end;
} lipc__pipe_local_information;

typedef struct lipc__device_information { /* FILE_FS_DEVICE_INFORMATION */
    ULONG type, characteristics;
} lipc__device_information;

typedef struct lipc__pipe_peek { /* FILE_PIPE_PEEK_BUFFER */
    ULONG state, read_data_available, number_of_messages, message_length;
    CHAR data[4];
} lipc__pipe_peek;

NTSTATUS NTAPI NtQueryInformationFile(HANDLE, PIO_STATUS_BLOCK, PVOID, ULONG, FILE_INFORMATION_CLASS);
NTSTATUS NTAPI NtFsControlFile(HANDLE, HANDLE, PIO_APC_ROUTINE, PVOID, PIO_STATUS_BLOCK, ULONG, PVOID, ULONG, PVOID,
                               ULONG);
NTSTATUS NTAPI NtCreateNamedPipeFile(PHANDLE, ULONG, POBJECT_ATTRIBUTES, PIO_STATUS_BLOCK, ULONG, ULONG, ULONG, ULONG,
                                     ULONG, ULONG, ULONG, ULONG, ULONG, PLARGE_INTEGER);
WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR);
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */

#endif
