package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/lipc/ipc"
)

var sendFilesCommand = command{
	name: "send-files", arguments: "NAME FILE…",
	about: "pass open files to the process that runs receive-files on NAME",
	details: `
Opens each FILE, and passes the open file to the process that runs "lipc receive-files NAME". The receiver reads it, and
need not have the right to open it. Waits until the file has been received, and prints its size. "-" is standard input,
which may be a pipe.

The receiver must be a process of the same user, of root, or of the user that called sudo. Allow another user with -to.
The kernel reports the receiver's user.

If a file cannot be opened or received, an error is printed, the other files are passed, and the exit code is 1.

  lipc send-files @inbox report.pdf photo.jpg
  sudo lipc send-files @inbox /var/log/syslog      the receiver needs no rights of its own
  tar c folder | lipc send-files @inbox -as folder.tar -`,
	define: func(options *flag.FlagSet) run {
		var s sending
		s.define(options)
		return s.run
	},
}

// sending is the command send-files.
type sending struct {
	dialer
	to       string
	as       string
	quiet    bool
	progress bool
}

func (s *sending) define(options *flag.FlagSet) {
	s.dialer.define(options)
	options.StringVar(&s.to, "to", "", "another `user` that may receive them, by name or id")
	options.StringVar(&s.as, "as", "", "another `name` for the file, if there is only one")
	defineReports(options, &s.quiet, &s.progress)
}

func defineReports(options *flag.FlagSet, quiet, progress *bool) {
	options.BoolVar(quiet, "quiet", false, "print nothing but errors")
	options.BoolVar(progress, "progress", false,
		"always show a progress bar (by default only if it takes long and standard error is a terminal)")
}

func (s *sending) run(ctx context.Context, arguments, _ []string) error {
	if len(arguments) < 2 {
		return usageError{"which files? lipc send-files NAME FILE…"}
	}
	name, err := readName(arguments[0])
	if err != nil {
		return err
	}
	paths := arguments[1:]
	if s.as != "" && len(paths) > 1 {
		return usageError{fmt.Sprintf("-as is for a single file, and there are %d", len(paths))}
	}
	ch, err := s.dial(ctx, kind{}, name)
	if err != nil {
		return err
	}
	c := ch.(stream).Conn
	defer c.Close()
	if err := s.admit(c); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	out := newOutbox(c)
	var failed error
	for _, path := range paths {
		err := s.send(ctx, out, path)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, new(*skippedError)):
			return err
		default:
			fmt.Fprintf(os.Stderr, "lipc: %v\n", err)
			failed = errors.New("not all files were passed")
		}
	}
	return failed
}

// admit refuses a receiver of any other user: anybody can take a free name.
func (s *sending) admit(c *ipc.Conn) error {
	peer, err := c.PeerCredentials()
	if err != nil {
		return err
	}
	id := peer.SID
	if id == "" && peer.UID >= 0 {
		id = strconv.Itoa(peer.UID)
	}
	self, err := user.Current()
	if err != nil {
		return err
	}
	admitted := []string{self.Uid, "0"}
	if self.Uid == "0" {
		admitted = append(admitted, os.Getenv("SUDO_UID"))
	}
	if s.to != "" {
		named, err := user.Lookup(s.to)
		if err != nil {
			named, err = user.LookupId(s.to)
		}
		if err != nil {
			return usageError{fmt.Sprintf("-to %s: there is no such user", s.to)}
		}
		admitted = append(admitted, named.Uid)
	}
	if id == "" || !slices.Contains(admitted, id) {
		return fmt.Errorf("the receiver is process %d of another user, %s: -to names who may receive", peer.PID, userName(id))
	}
	return nil
}

// send passes one file.
func (s *sending) send(ctx context.Context, out *outbox, path string) error {
	f, name := os.Stdin, "stdin"
	if path != "-" {
		var err error
		if f, err = open(ctx, path); err != nil {
			return &skippedError{err}
		}
		defer f.Close()
		name = filepath.Base(path)
	}
	if s.as != "" {
		name = s.as
	}
	o, err := newOffer(f, name)
	if err != nil {
		return &skippedError{err}
	}
	bar := newProgress(printable(name), o.Size, s.quiet, s.progress)
	received, err := out.send(o, f, bar.update)
	bar.end()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case s.quiet:
	case received >= 0:
		_, err = fmt.Printf("%s: passed, %d bytes\n", printable(name), received)
	default: // a program has the file, and may read any part of it
		_, err = fmt.Printf("%s: passed\n", printable(name))
	}
	return outputError(err)
}

// open opens a file. If the file is a FIFO, it waits for a writer until the command is interrupted.
func open(ctx context.Context, path string) (*os.File, error) {
	var f *os.File
	var err error
	opened := make(chan struct{})
	go func() {
		f, err = os.Open(path)
		close(opened)
	}()
	select {
	case <-opened:
		return f, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
