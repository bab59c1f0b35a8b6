/* The seam: every system call that can fail is written SYS(call(...)).
 *
 * All of them report failure as -1 (allocations as NULL, through SYS_ALLOCATE) with errno set, so a build
 * with LIPC_FAULT_INJECTION can put any failure in place of any call: before each one it asks
 * lipc_fault_injected(), which the test defines and which sets errno when it returns true. */
#ifndef LIPC_SYS_H
#define LIPC_SYS_H

#ifdef LIPC_FAULT_INJECTION
extern int lipc_fault_injected(const char *call);
#define SYS(call) (lipc_fault_injected(#call) ? -1 : (call))
#define SYS_ALLOCATE(call) (lipc_fault_injected(#call) ? NULL : (call))
#else
#define SYS(call) (call)
#define SYS_ALLOCATE(call) (call)
#endif

#endif
