package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lipc/ipc"
)

var receiveFilesCommand = command{
	name: "receive-files", arguments: "NAME [-dir D | -- CMD [ARG…]]",
	about:   "receive open files: save copies in a folder, or run a program with each",
	program: true,
	details: `
Waits for a "lipc send-files NAME", and receives the open files that it passes. With -dir it copies each file into the
folder D, under the file's name and with its permissions (less the umask), and prints its name and size. With "-- CMD"
it runs CMD for one file after the other, with the file as standard input. CMD has in its environment:

  LIPC_FILE_NAME                      the file's name
  LIPC_FILE_SIZE                      its size in bytes, if known
  LIPC_PEER_PID, _UID, _GID, _SID     the sender, supplied by the kernel, as far as the system reports it

Ends when the sender ends, unless -keep is given. Does not replace a file that exists, unless -force is given. Removes
copies that are not complete. Receives a passed file to its end, even if the sender ends before. The exit code is 1 if
any file could not be received.

  lipc receive-files user:inbox -dir Inbox
  lipc receive-files user:inbox -- sha256sum
  lipc receive-files user:inbox -keep -- sh -c 'echo "$LIPC_FILE_NAME from process $LIPC_PEER_PID"; exec wc -l'`,
	define: func(options *flag.FlagSet) run {
		var r receiving
		r.define(options)
		return r.run
	},
}

// receiving is the command receive-files.
type receiving struct {
	permission
	dir      string
	keep     bool
	force    bool
	quiet    bool
	progress bool

	name    ipc.Name
	program []string
}

func (r *receiving) define(options *flag.FlagSet) {
	r.permission.define(options)
	options.StringVar(&r.dir, "dir", "", "the `folder` to save files in")
	options.BoolVar(&r.keep, "keep", false, "wait for another sender when one has ended, until interrupted")
	options.BoolVar(&r.force, "force", false, "replace files that exist")
	defineReports(options, &r.quiet, &r.progress)
}

func (r *receiving) run(ctx context.Context, arguments, program []string) (err error) {
	if r.name, err = oneName(arguments); err != nil {
		return err
	}
	if (r.dir == "") == (len(program) == 0) {
		return usageError{"where do the files go? Either -dir D or -- CMD says so, and not both"}
	}
	if r.program = program; len(program) > 0 {
		if program[0], err = exec.LookPath(program[0]); err != nil {
			return err
		}
	} else if info, err := os.Stat(r.dir); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is no folder", r.dir)
	}
	a, err := r.listen(ctx, kind{}, r.name)
	if err != nil {
		return err
	}
	defer a.Close()
	for {
		c, err := a.accept(ctx)
		if err != nil {
			return unlessKept(r.keep, err)
		}
		if !r.keep {
			if err := a.Close(); err != nil {
				return errors.Join(err, c.Close())
			}
		}
		err = r.receive(ctx, c.(stream).conn())
		if ctx.Err() != nil {
			return unlessKept(r.keep, context.Cause(ctx))
		}
		if !r.keep || errors.Is(err, errOutputClosed) {
			return err
		}
		if err != nil { // of this sender
			fmt.Fprintf(os.Stderr, "lipc: %v\n", err)
		}
	}
}

// receive takes all files of a sender.
func (r *receiving) receive(ctx context.Context, c *ipc.Conn) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	in := inbox{c}
	var failed error
	for {
		o, f, err := in.next()
		if err == io.EOF {
			return failed
		}
		if err != nil {
			return err
		}
		received, err := r.take(ctx, in, o, f)
		f.Close()
		if errors.Is(err, errOutputClosed) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			in.answer(answer{Received: received, Error: err.Error()})
			fmt.Fprintf(os.Stderr, "lipc: %q: %v\n", o.Name, err)
			failed = errors.New("not all files were received")
			continue
		}
		in.answer(answer{Received: received, Done: true})
	}
}

// take copies a file, or runs the program with it.
func (r *receiving) take(ctx context.Context, in inbox, o offer, f *os.File) (int64, error) {
	if err := checkFileName(o.Name); err != nil {
		return 0, err
	}
	if r.program != nil {
		return notCounted, r.runWith(ctx, in, o, f)
	}
	bar := newProgress(o.Name, o.Size, r.quiet, r.progress)
	received, err := r.keepCopy(ctx, o, f, func(received int64) {
		bar.update(received)
		in.answer(answer{Received: received})
	})
	bar.end()
	if err != nil || r.quiet {
		return received, err
	}
	_, err = fmt.Printf("%s: %d bytes\n", printable(filepath.Join(r.dir, o.Name)), received)
	return received, outputError(err)
}

// checkFileName refuses a name that is not that of a file in a folder, or that would mislead its reader.
func checkFileName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) || !filepath.IsLocal(name) ||
		strings.ContainsFunc(name, odd) || filepath.Base(name) != name {
		return fmt.Errorf("%q is no name of a file in a folder", name)
	}
	return nil
}

// runWith runs the program with a file as its standard input.
func (r *receiving) runWith(ctx context.Context, in inbox, o offer, f *os.File) error {
	if err := makeBlocking(f); err != nil { // the end of a FIFO may be non-blocking
		return err
	}
	cmd := exec.CommandContext(ctx, r.program[0], r.program[1:]...)
	cmd.Env = environment(stream{in.c}, r.name)
	cmd.Env = append(cmd.Env, "LIPC_FILE_NAME="+o.Name)
	if o.Size >= 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("LIPC_FILE_SIZE=%d", o.Size))
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return stop(cmd.Process) }
	cmd.WaitDelay = killedAfter
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(r.program, " "), err)
	}
	return nil
}

// copiedAtOnce is how many bytes are copied between two reports.
const copiedAtOnce = 8 << 20

// keepCopy copies a file into the folder. The copy has another name until it is complete, and is removed if it does not
// become complete.
func (r *receiving) keepCopy(ctx context.Context, o offer, f *os.File, report func(int64)) (received int64, err error) {
	path := filepath.Join(r.dir, o.Name)
	if _, err := os.Lstat(path); err == nil && !r.force {
		return 0, fmt.Errorf("%w: -force replaces it", fs.ErrExist)
	}
	part := path + ".part"
	if info, err := os.Lstat(part); err == nil && info.Mode().IsRegular() && r.force { // left by a receiver that was killed
		if err := os.Remove(part); err != nil {
			return 0, err
		}
	}
	w, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, o.Mode.Perm())
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("it is in the way: %w", err)
	}
	if err != nil {
		return 0, err
	}
	received, err = copyAll(ctx, w, f, report)
	if err = errors.Join(err, w.Close()); err == nil {
		err = r.publish(part, path)
	}
	if err != nil {
		return received, errors.Join(err, os.Remove(part))
	}
	return received, nil
}

// publish gives a complete copy its name. Another file may have got that name meanwhile.
func (r *receiving) publish(part, path string) error {
	if !r.force {
		err := os.Link(part, path)
		if err == nil {
			return os.Remove(part)
		}
		if _, taken := os.Lstat(path); taken == nil {
			return fmt.Errorf("%w: -force replaces it", fs.ErrExist)
		}
	} // otherwise the file system has no links
	return os.Rename(part, path)
}

// copyAll copies until the end, and reports how many bytes it has copied. The kernel copies if it can.
func copyAll(ctx context.Context, w io.Writer, f *os.File, report func(int64)) (received int64, err error) {
	type piece struct {
		size int64
		err  error
	}
	interrupted := ctx.Done()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		interrupted = nil // the next piece comes soon; Windows cannot remove a file that is being written
	}
	pieces := make(chan piece)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for p := (piece{}); p.err == nil; {
			p.size, p.err = io.CopyN(w, f, copiedAtOnce)
			select {
			case pieces <- p:
			case <-ended:
				return
			}
		}
	}()
	for {
		select {
		case p := <-pieces:
			received += p.size
			if p.err == io.EOF {
				return received, nil
			}
			if p.err != nil {
				return received, p.err
			}
			if ctx.Err() != nil {
				return received, context.Cause(ctx)
			}
			report(received)
		case <-interrupted:
			return received, context.Cause(ctx)
		}
	}
}
