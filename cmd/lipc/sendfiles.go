package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
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

The receiver must be a process of the same user, of root, or of the user that called sudo, unless -only says otherwise.
The kernel reports the receiver's user. What sudo runs has the "user:" names of root. To reach a name of yours it takes
the path, as below.

If a file cannot be opened or received, an error is printed, the other files are passed, and the exit code is 1.

  lipc send-files user:inbox report.pdf photo.jpg
  tar c folder | lipc send-files user:inbox -as folder.tar -
  sudo lipc send-files "$(lipc location user:inbox)" /var/log/syslog    the receiver needs no rights of its own`,
	define: func(options *flag.FlagSet) run {
		var s sending
		s.define(options)
		return s.run
	},
}

// sending is the command send-files.
type sending struct {
	dialer
	as       string
	quiet    bool
	progress bool
}

func (s *sending) define(options *flag.FlagSet) {
	s.dialer.define(options, "this user, "+admins+", and the user that called sudo")
	s.server = receivers
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
	c := ch.(stream).conn()
	defer c.Close()
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

// receivers admits the users that may receive without -only: anybody can take a free name.
func receivers(c ipc.Credentials) error {
	if c.UID >= 0 && os.Geteuid() == 0 && strconv.Itoa(c.UID) == os.Getenv("SUDO_UID") {
		return nil
	}
	return ipc.SameUserOrAdmin(c)
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
