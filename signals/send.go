package signals

import (
	"fmt"
	"math"
	"os"

	"github.com/lipc/ipc/internal/core"
)

// send performs a call that sends a signal. Its error names the receiver: to is what kind it is, and id which one.
func send(sig os.Signal, value int, to string, id any, call func(n int) core.Result) error {
	n, err := number(sig)
	switch {
	case err != nil:
	case value < math.MinInt32 || value > math.MaxInt32:
		err = core.Invalidf("the value %d does not fit 32 bits", value)
	default:
		err = explain(n, call(n))
	}
	if err != nil {
		return fmt.Errorf("signals: send %s to %s %v: %w", Name(sig), to, id, err)
	}
	return nil
}

// Send sends a signal to a process. If the signal is [syscall.Signal](0), Send sends nothing, and only checks whether
// it could send a signal. On Windows Send fails with [errors.ErrUnsupported].
//
// After a process has ended and its parent has waited for it, another process may get its process ID. [SendPIDFD] never
// reaches another process. Until the parent has waited for it, a process that has ended can be sent signals, which have
// no effect.
func Send(pid int, sig os.Signal) error {
	return send(sig, 0, "process", pid, func(n int) core.Result { return core.SendSignal(pid, n) })
}

// Queue sends a signal to a process, with a value, which must fit an int32. Linux, FreeBSD and NetBSD have this. If too
// many signals are queued, Queue does not wait, and fails with [syscall.EAGAIN].
func Queue(pid int, sig os.Signal, value int) error {
	return send(sig, value, "process", pid, func(n int) core.Result { return core.QueueSignal(pid, n, value) })
}

// SendGroup sends a signal to all processes of a group; 0 is this process's own group.
//
// On Windows the group is the process ID of a process that was started with CREATE_NEW_PROCESS_GROUP, or 0 for all
// processes of the console. [Break] can be sent to either, [os.Interrupt] only to 0, and no other signal to any.
func SendGroup(group int, sig os.Signal) error {
	return send(sig, 0, "group", group, func(n int) core.Result { return core.SendSignalGroup(group, n) })
}

// SendPIDFD sends a signal to the process of a pidfd, such as Conn.PeerPIDFD of package ipc returns. Linux has this
// from 5.1 on. If pidfd is nil, the error matches [os.ErrInvalid] and [syscall.EINVAL].
func SendPIDFD(pidfd *os.File, sig os.Signal) error {
	return sendFile(pidfd, sig, 0, core.SendSignalPIDFD)
}

// QueuePIDFD is like [SendPIDFD], but sends a value with the signal, which must fit an int32.
func QueuePIDFD(pidfd *os.File, sig os.Signal, value int) error {
	return sendFile(pidfd, sig, value, func(fd uintptr, n int) core.Result { return core.QueueSignalPIDFD(fd, n, value) })
}

func sendFile(pidfd *os.File, sig os.Signal, value int, call func(fd uintptr, n int) core.Result) error {
	if pidfd == nil {
		return fmt.Errorf("signals: send %s to a pidfd: %w: %w", Name(sig), core.Invalidf("it is nil"), os.ErrInvalid)
	}
	raw, err := pidfd.SyscallConn()
	if err == nil {
		var sent error
		err = raw.Control(func(fd uintptr) {
			sent = send(sig, value, "pidfd", pidfd.Name(), func(n int) core.Result { return call(fd, n) })
		})
		if err == nil {
			return sent
		}
	}
	return fmt.Errorf("signals: send %s to pidfd %s: %w", Name(sig), pidfd.Name(), err)
}
