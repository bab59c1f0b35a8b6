package core

/*
#include "core.h"
#include <lipc_signal.h>

static int ipc_signal_watch(const int *signals, size_t count, int child_stops, int interrupts, int forwards,
                            uint32_t queue_size, lipc_handle *ret_handle) {
	lipc_signal_options options = {.size = sizeof options, .child_stops = child_stops, .interrupts = interrupts,
	                               .forwards = forwards, .queue_size = queue_size};
	return lipc_signal_watch(signals, count, &options, ret_handle);
}

static int ipc_signal_next(lipc_handle handle, lipc_signal_info *ret_info) {
	ret_info->size = sizeof *ret_info;
	return lipc_signal_next(handle, 0, ret_info);
}

#cgo noescape ipc_signal_watch
#cgo nocallback ipc_signal_watch
#cgo noescape ipc_signal_next
#cgo nocallback ipc_signal_next
*/
import "C"

import "unsafe"

// The events of consoles other than Ctrl-C: enum lipc_signal_console.
const (
	SignalBreak    = C.LIPC_SIGNAL_BREAK
	SignalClose    = C.LIPC_SIGNAL_CLOSE
	SignalLogoff   = C.LIPC_SIGNAL_LOGOFF
	SignalShutdown = C.LIPC_SIGNAL_SHUTDOWN
)

// SignalQueueMax is the greatest SignalOptions.Queue.
const SignalQueueMax = C.LIPC_SIGNAL_QUEUE_MAX

// SignalOptions are lipc_signal_options.
type SignalOptions struct {
	ChildStops, Interrupts, Forwards bool
	Queue                            int
}

// A SignalInfo is a lipc_signal_info.
type SignalInfo struct {
	Signal, Code, PID, UID, Value, Status, Dropped int
}

// WatchSignals watches signals. Only CloseSignals closes the handle.
func WatchSignals(signals []int32, o SignalOptions) (handle uintptr, r Result) {
	var h C.lipc_handle
	r = creating(func() Result {
		return Result(C.ipc_signal_watch((*C.int)(unsafe.Pointer(unsafe.SliceData(signals))), C.size_t(len(signals)),
			cint(o.ChildStops), cint(o.Interrupts), cint(o.Forwards), C.uint32_t(o.Queue), &h))
	})
	return uintptr(h), r
}

// NextSignal takes a signal, and does not wait for one.
func NextSignal(handle uintptr) (SignalInfo, Result) {
	var i C.lipc_signal_info
	if r := Result(C.ipc_signal_next(C.lipc_handle(handle), &i)); r < 0 {
		return SignalInfo{}, r
	}
	return SignalInfo{
		Signal: int(i.signal), Code: int(i.code), PID: int(i.pid), UID: int(i.uid),
		Value: int(i.value), Status: int(i.status), Dropped: int(i.dropped),
	}, 0
}

// CloseSignals ends a watch.
func CloseSignals(handle uintptr) Result {
	return Result(C.lipc_signal_close(C.lipc_handle(handle)))
}

// RealTimeSignal returns the number of a real-time signal, SIGRTMIN+n.
func RealTimeSignal(n int) Result { return Result(C.lipc_signal_realtime(C.int(n))) }

// SendSignal sends a signal to a process.
func SendSignal(pid, signal int) Result {
	return Result(C.lipc_signal_send(C.int64_t(pid), C.int(signal)))
}

// QueueSignal sends a signal with a value to a process.
func QueueSignal(pid, signal, value int) Result {
	return Result(C.lipc_signal_queue(C.int64_t(pid), C.int(signal), C.int(value)))
}

// SendSignalGroup sends a signal to a group of processes.
func SendSignalGroup(group, signal int) Result {
	return Result(C.lipc_signal_send_group(C.int64_t(group), C.int(signal)))
}

// SendSignalPIDFD sends a signal to the process of a pidfd.
func SendSignalPIDFD(pidfd uintptr, signal int) Result {
	return Result(C.lipc_signal_send_pidfd(C.lipc_handle(pidfd), C.int(signal)))
}

// QueueSignalPIDFD sends a signal with a value to the process of a pidfd.
func QueueSignalPIDFD(pidfd uintptr, signal, value int) Result {
	return Result(C.lipc_signal_queue_pidfd(C.lipc_handle(pidfd), C.int(signal), C.int(value)))
}
