/* The seam: every system call that can fail is written in one of these macros, by how it reports a failure:
 *
 *     SYS(call(...))              -1
 *     SYS_ALLOCATE(call(...))     NULL
 *     SYS_TRUE(call(...))         FALSE, on Windows
 *     SYS_HANDLE(call(...))       INVALID_HANDLE_VALUE, on Windows
 *
 * Each call also sets errno, or what GetLastError() returns. So a build with LIPC_FAULT_INJECTION can put any failure
 * in place of any call: before each call it asks lipc_fault_injected(), which the test defines. When that returns true
 * it has set errno, or called SetLastError(), and the call is not made. */
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
