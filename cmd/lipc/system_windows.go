package main

import (
	"errors"
	"io"
	"os"
	"os/exec"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/signals"
	"golang.org/x/sys/windows"
)

// brokenPipe reports whether nobody reads what is written.
func brokenPipe(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}

// gone reports whether the peer has closed its end. A pipe has no half-closes: a peer that has ended sending is gone. Of
// a channel, which has half-closes, that is not known.
func gone(c connection) bool {
	_, err := c.SyscallConn()
	return !errors.Is(err, errors.ErrUnsupported)
}

// carriesMessages reports whether a connection that was dialled as a stream carries messages. Any pipe can be dialled
// as a stream.
func carriesMessages(c connection) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var flags uint32
	err = raw.Control(func(handle uintptr) {
		_ = windows.GetNamedPipeInfo(windows.Handle(handle), &flags, nil, nil, nil)
	})
	return err == nil && flags&windows.PIPE_TYPE_MESSAGE != 0
}

// terminal reports whether a file is a console.
func terminal(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

// passesConnections is whether a program can have the connection itself as its standard input. It cannot, because the
// handle is for overlapped operation, which programs do not expect.
const passesConnections = false

// makeBlocking does nothing: a file is as the sender opened it.
func makeBlocking(*os.File) error { return nil }

// runJoined runs a program with pipes from and to a connection as its standard input and output.
func runJoined(cmd *exec.Cmd, c connection) error {
	cmd.Cancel = func() error { return stop(cmd.Process) }
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return errors.Join(err, input.Close())
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = c.receive(input)
		input.Close()
	}()
	err = c.send(output) // until the program ends, or closes it
	if err != nil {
		_, _ = io.Copy(io.Discard, output) // the peer is gone
	}
	return errors.Join(cmd.Wait(), c.Close())
}

// cutOff reports whether a program ended because its client was gone. No exit code shows that.
func cutOff(error) bool { return false }

// userIDs and admins are who -only may name.
const (
	userIDs = "SIDs"
	admins  = "SYSTEM and administrators"
)

// oneUser returns the policy that admits a user, by name or SID.
func oneUser(who string) (ipc.PeerPolicy, error) {
	sid, err := windows.StringToSid(who)
	if err != nil {
		sid, _, _, err = windows.LookupSID("", who)
	}
	if err != nil {
		return nil, noUser(who)
	}
	wanted := sid.String()
	return func(c ipc.Credentials) error {
		if c.SID != wanted {
			return noUser(c.SID)
		}
		return nil
	}, nil
}

// stop kills a process: Windows has no signal that asks it to end.
func stop(p *os.Process) error { return p.Kill() }

// usualSignals are those that the command signals watches if it is not told which.
func usualSignals() []os.Signal { return []os.Signal{signals.Break, signals.ConsoleClose} }

const usualSignalsText = "BREAK and CLOSE"

// watchable reports whether the system has a signal.
func watchable(sig os.Signal) bool { return sig == os.Interrupt }
