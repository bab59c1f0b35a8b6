/* The seam: every system call that can fail is written SYS(call(...)).
 *
 * All of them report failure as -1 (allocations as NULL, through SYS_ALLOCATE; on Windows others as FALSE, through
 * SYS_TRUE, or as INVALID_HANDLE_VALUE, through SYS_HANDLE) with errno or GetLastError() set, so a build with
 * LIPC_FAULT_INJECTION can put any failure in place of any call: before each one it asks lipc_fault_injected(), which the
 * test defines and which sets errno, or calls SetLastError(), when it returns true. */
#ifndef LIPC_SYS_H
#define LIPC_SYS_H

#ifdef LIPC_FAULT_INJECTION
extern int lipc_fault_injected(const char *call);
#define SYS(call) (lipc_fault_injected(#call) ? -1 : (call))
#define SYS_ALLOCATE(call) (lipc_fault_injected(#call) ? NULL : (call))
#define SYS_TRUE(call) (lipc_fault_injected(#call) ? FALSE : (call))
#define SYS_HANDLE(call) (lipc_fault_injected(#call) ? INVALID_HANDLE_VALUE : (call))
#else
#define SYS(call) (call)
#define SYS_ALLOCATE(call) (call)
#define SYS_TRUE(call) (call)
#define SYS_HANDLE(call) (call)
#endif

#endif
