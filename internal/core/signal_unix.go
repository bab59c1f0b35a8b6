//go:build unix

package core

/*
#include <signal.h>

// Some systems have no code for a signal that was sent to a thread. INT_MIN is not a code.
enum {
#if defined(SI_TKILL)
	IPC_CODE_THREAD = SI_TKILL,
#elif defined(SI_LWP)
	IPC_CODE_THREAD = SI_LWP,
#else
	IPC_CODE_THREAD = -2147483647 - 1,
#endif
	// On some systems these are not constants of the preprocessor.
	IPC_CODE_USER = SI_USER,
	IPC_CODE_QUEUE = SI_QUEUE,
	IPC_CODE_TIMER = SI_TIMER,
	IPC_CODE_EXITED = CLD_EXITED,
	IPC_CODE_KILLED = CLD_KILLED,
	IPC_CODE_DUMPED = CLD_DUMPED,
	IPC_CODE_TRAPPED = CLD_TRAPPED,
	IPC_CODE_STOPPED = CLD_STOPPED,
	IPC_CODE_CONTINUED = CLD_CONTINUED,
};
*/
import "C"

// Values of SignalInfo.Code: si_code, sigaction(2).
const (
	CodeUser      = C.IPC_CODE_USER
	CodeQueue     = C.IPC_CODE_QUEUE
	CodeThread    = C.IPC_CODE_THREAD
	CodeTimer     = C.IPC_CODE_TIMER
	CodeExited    = C.IPC_CODE_EXITED
	CodeKilled    = C.IPC_CODE_KILLED
	CodeDumped    = C.IPC_CODE_DUMPED
	CodeTrapped   = C.IPC_CODE_TRAPPED
	CodeStopped   = C.IPC_CODE_STOPPED
	CodeContinued = C.IPC_CODE_CONTINUED
)
