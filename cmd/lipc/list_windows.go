package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"time"

	"github.com/lipc/ipc"
	"golang.org/x/sys/windows"
)

// listOptions are the options of the command list.
type listOptions struct{ owners bool }

func (l *listOptions) define(options *flag.FlagSet) {
	options.BoolVar(&l.owners, "owners", false,
		"connect to each pipe for a moment, as a client does, to learn its owner")
}

const pipes = `\\.\pipe\`

// ownerTimeout is how long to wait for a busy pipe.
const ownerTimeout = 50 * time.Millisecond

// entries reads the directory of pipes.
func (l *listOptions) entries() ([]entry, error) {
	pattern, err := windows.UTF16PtrFromString(pipes + "*")
	if err != nil {
		return nil, err
	}
	var entries []entry
	var found windows.Win32finddata
	search, err := windows.FindFirstFile(pattern, &found)
	if err != nil {
		return nil, &os.PathError{Op: "list", Path: pipes, Err: err}
	}
	defer windows.FindClose(search)
	for err == nil {
		e := entry{kind: "pipe", name: pipes + windows.UTF16ToString(found.FileName[:])}
		if l.owners {
			e.user, e.pid = owner(e.name)
		}
		entries = append(entries, e)
		err = windows.FindNextFile(search, &found)
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return nil, &os.PathError{Op: "list", Path: pipes, Err: err}
	}
	return entries, nil
}

// owner connects to a pipe, and returns the user and the process that listen on it, as far as they are known.
func owner(name string) (user string, pid int) {
	d := ipc.Dialer{Timeout: ownerTimeout}
	c, err := d.Dial(context.Background(), ipc.Path(name))
	if err != nil {
		return "", 0
	}
	defer c.Close()
	peer, err := c.PeerCredentials()
	if err != nil {
		return "", 0
	}
	if peer.SID != "" {
		user = userName(peer.SID)
	}
	return user, max(peer.PID, 0)
}
