package ipc

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A PipeReader is the reading end of an unnamed pipe or of a FIFO. All methods may be called from any goroutine, at any
// time. Reading allocates nothing and takes no thread while it waits. The errors are those of [Conn].
type PipeReader struct {
	pipeEnd
}

// A PipeWriter is the writing end of an unnamed pipe or of a FIFO. All methods may be called from any goroutine, at any
// time. Writing allocates nothing and takes no thread while it waits. The errors are those of [Conn].
type PipeWriter struct {
	pipeEnd
}

var (
	_ io.ReadCloser  = (*PipeReader)(nil)
	_ io.WriteCloser = (*PipeWriter)(nil)
)

// pipeEnd is what both ends have in common.
type pipeEnd struct {
	end  poll.Endpoint
	name Name // of a FIFO
}

func (p *pipeEnd) opError(op string, err error) error { return opError(op, Name{}, p.name, err) }

// Read reads what is there, at most len(b) bytes, and waits until there is something. The end, [io.EOF], is there when
// nobody has the other end open any more; on a FIFO it passes when somebody opens that again.
func (r *PipeReader) Read(b []byte) (int, error) { return r.readResult(r.end.Read(b)) }

// ReadBuffers is Read into several buffers, see [Conn.ReadBuffers].
func (r *PipeReader) ReadBuffers(buffers [][]byte) (int, error) {
	return r.readResult(r.end.ReadBuffers(buffers))
}

func (r *PipeReader) readResult(n int, err error) (int, error) {
	if err != nil && err != io.EOF {
		err = r.opError("read", err)
	}
	return n, err
}

// Write writes all of b, waiting for room as often as needed. On an error it returns how many bytes were written
// before. A write when nobody reads is [syscall.EPIPE]; SIGPIPE is never raised. At most 4096 bytes (PIPE_BUF; 512 on
// macOS and the BSDs; on Windows all of b) are written in one piece even if others write, too, pipe(7).
func (w *PipeWriter) Write(b []byte) (int, error) {
	n, err := w.end.Write(b)
	return n, w.opError("write", err)
}

// WriteBuffers is Write of several buffers, see [Conn.WriteBuffers].
func (w *PipeWriter) WriteBuffers(buffers [][]byte) (int, error) {
	n, err := w.end.WriteBuffers(buffers)
	return n, w.opError("write", err)
}

// Close closes this end. Operations that wait, and all later ones, fail with [net.ErrClosed], a second Close too. What was
// written before can still be read.
func (p *pipeEnd) Close() error { return p.opError("close", p.end.Close()) }

// SetDeadline sets the time after which reads or writes fail with [os.ErrDeadlineExceeded], waiting ones included. The
// zero time is none. An end that is for child processes, see [PipeConfig] and PassTo, has none: [os.ErrNoDeadline].
func (p *pipeEnd) SetDeadline(t time.Time) error { return p.opError("set", p.end.SetDeadline(t)) }

// SetReadDeadline is SetDeadline.
func (r *PipeReader) SetReadDeadline(t time.Time) error { return r.SetDeadline(t) }

// SetWriteDeadline is SetDeadline. A write that fails so may have written a part.
func (w *PipeWriter) SetWriteDeadline(t time.Time) error { return w.SetDeadline(t) }

// SetBuffer asks for a buffer of so many bytes, which both ends share. Linux, F_SETPIPE_SZ in fcntl(2), rounds up to a
// power of two of pages, and allows at most fs.pipe-max-size ([fs.ErrPermission]). Elsewhere the error is
// [errors.ErrUnsupported].
func (p *pipeEnd) SetBuffer(bytes int) error {
	return p.opError("set", p.end.SetBufferSize(core.Writing, bytes))
}

// SetSpin makes this end poll for so long before it waits, see [Conn.SetSpin].
func (p *pipeEnd) SetSpin(d time.Duration) error { return p.opError("set", setSpin(&p.end, d)) }

// SyscallConn returns access to the system's handle, see [syscall.Conn].
func (p *pipeEnd) SyscallConn() (syscall.RawConn, error) {
	raw, err := p.end.RawConn()
	return raw, p.opError("raw", err)
}

// File returns a duplicate of the handle. Closing either does not affect the other, but both share the non-blocking mode,
// which most programs cannot do with: hand them an end with PassTo, or as cmd.Stdin = r and cmd.Stdout = w.
func (p *pipeEnd) File() (*os.File, error) {
	f, err := p.end.Duplicate(fileName(p.name))
	return f, p.opError("file", err)
}

// PassTo hands the end to a process that has not been started yet, which finds it under that name with
// [InheritedPipeReader] or [InheritedPipeWriter]; or, if it is another program, as the descriptor whose number is in its
// environment variable IPC_PIPE_name: in a shell, cat "/dev/fd/$IPC_PIPE_name". It is added to cmd.ExtraFiles, as the
// descriptor 2+len(cmd.ExtraFiles), and to cmd.Env (of which nil is os.Environ()), which must be set before. A name that
// is in cmd.Env already and a process that has been started are [syscall.EINVAL]. The end is then the child's: it is
// blocking, as programs expect it; reading from it or writing to it here fails with [syscall.EINVAL]; and it must be
// closed here once the process has started, otherwise its other end does not learn that the child is gone.
//
// On Windows the number is that of a handle for overlapped operation, which is added to
// cmd.SysProcAttr.AdditionalInheritedHandles. For other programs there are the ends of [PipeConfig].
func (p *pipeEnd) PassTo(cmd *exec.Cmd, name string) error {
	err := checkPipeName(name)
	if err == nil {
		err = p.passTo(cmd, pipeVariable+name)
	}
	return p.opError("pass", err)
}

// passTo hands the end over; variable is where the process finds its number.
func (p *pipeEnd) passTo(cmd *exec.Cmd, variable string) error {
	if cmd.Process != nil {
		return core.Invalidf("the process has been started already")
	}
	if slices.ContainsFunc(cmd.Env, func(one string) bool { return strings.HasPrefix(one, variable+"=") }) {
		return core.Invalidf("%s is set already", variable)
	}
	number, err := handTo(cmd, &p.end)
	if err != nil {
		return err
	}
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%d", variable, number))
	return nil
}

// pipeVariable is where a child finds the number of the descriptor that it was given, followed by the pipe's name.
const pipeVariable = "IPC_PIPE_"

func checkPipeName(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return core.Invalidf("%q cannot be the name of a pipe: it is empty, or has a \"=\" or NUL in it", name)
	}
	return nil
}

// InheritedPipeReader returns the reading end that the parent process passed under that name with [PipeReader.PassTo]. It
// can be taken once. Where there is none the error is [fs.ErrNotExist].
func InheritedPipeReader(name string) (*PipeReader, error) {
	r := new(PipeReader)
	if err := r.inherit(name, core.KindPipeReader); err != nil {
		return nil, err
	}
	return r, nil
}

// InheritedPipeWriter returns the writing end that the parent process passed under that name with [PipeWriter.PassTo]. It
// can be taken once. Where there is none the error is [fs.ErrNotExist].
func InheritedPipeWriter(name string) (*PipeWriter, error) {
	w := new(PipeWriter)
	if err := w.inherit(name, core.KindPipeWriter); err != nil {
		return nil, err
	}
	return w, nil
}

func (p *pipeEnd) inherit(name string, kind core.Kind) error {
	err := checkPipeName(name)
	if err == nil {
		value, found := os.LookupEnv(pipeVariable + name)
		if !found {
			err = fmt.Errorf("no pipe %q was passed to this process: %w", name, fs.ErrNotExist)
		} else if err = p.end.AdoptPipe(value, kind); err == nil {
			os.Unsetenv(pipeVariable + name)
		} else {
			err = fmt.Errorf("pipe %q, descriptor %q: %w", name, value, err)
		}
	}
	return opError("inherit", Name{}, Name{}, err)
}

// FilePipeReader returns a reader of a duplicate of f, which must be the reading end of a pipe or a FIFO: standard input,
// for instance. f stays the caller's, but is non-blocking from then on, and must stay so; that goes for every process that
// shares this end.
func FilePipeReader(f *os.File) (*PipeReader, error) {
	r := new(PipeReader)
	if _, _, err := r.end.AdoptFile(f, core.KindPipeReader); err != nil {
		return nil, opError("file", Name{}, Name{}, err)
	}
	return r, nil
}

// FilePipeWriter is [FilePipeReader] for the writing end.
func FilePipeWriter(f *os.File) (*PipeWriter, error) {
	w := new(PipeWriter)
	if _, _, err := w.end.AdoptFile(f, core.KindPipeWriter); err != nil {
		return nil, opError("file", Name{}, Name{}, err)
	}
	return w, nil
}

// PipeConfig holds the options of an unnamed pipe. The zero value is the safe default.
type PipeConfig struct {
	// InheritReader and InheritWriter make an end one that every child process gets that is started while it is open, under
	// the same descriptor number. Such an end is blocking, as programs expect it; the other is not. It is for the children:
	// reading from it or writing to it here fails with [syscall.EINVAL]. [PipeReader.PassTo] gives an end to one process
	// alone. (On Windows package os/exec hands on only the handles that it is told, see [syscall.SysProcAttr]; and such an
	// end is not for overlapped operation, as programs expect it of their standard input and output.)
	InheritReader, InheritWriter bool

	// BufferSize is the size of the pipe's buffer in bytes, see [PipeReader.SetBuffer]. Zero is the system's default, 64
	// KiB on Linux, pipe(7), and Windows.
	BufferSize int

	// Sys holds what one system alone has. Nil is the default.
	Sys *SysPipe
}

// Pipe returns the two ends of an unnamed pipe.
func (pc *PipeConfig) Pipe() (*PipeReader, *PipeWriter, error) {
	r, w := new(PipeReader), new(PipeWriter)
	var err error
	if pc.BufferSize < 0 {
		err = core.Invalidf("negative BufferSize")
	} else {
		err = poll.Pipe(&r.end, &w.end, poll.PipeOptions{InheritReader: pc.InheritReader, InheritWriter: pc.InheritWriter,
			BufferSize: pc.BufferSize, System: pc.Sys.options()})
	}
	if err != nil {
		return nil, nil, opError("pipe", Name{}, Name{}, err)
	}
	return r, w, nil
}

// Pipe returns the two ends of an unnamed pipe with the default options, see [PipeConfig.Pipe].
func Pipe() (*PipeReader, *PipeWriter, error) { return new(PipeConfig).Pipe() }

// CreateFIFO makes a FIFO with those permission bits, whatever the umask; 0 is 0600. A file that exists is [fs.ErrExist],
// and the error's text says so if it is no FIFO. There are none on Windows: [errors.ErrUnsupported]. Removing it is
// [os.Remove].
func CreateFIFO(path string, mode fs.FileMode) error {
	var err error
	if mode&^fs.ModePerm != 0 {
		err = core.Invalidf("mode %#o has more than permission bits", uint32(mode))
	} else {
		err = poll.CreateFIFO(path, mode)
	}
	return opError("mkfifo", Name{}, Path(path), err)
}

// OpenFIFOReader opens a FIFO for reading, and waits until somebody has opened it for writing, or the context ends. It
// looks every 1 to 4 milliseconds, since no system tells. One that has come and gone counts if it left something to read.
// What is no FIFO is refused ([fs.ErrExist], with a text that says so), and what does not exist is [fs.ErrNotExist].
// On macOS, where kqueue does not tell readers that the last writer is gone, a read that waits looks as often, too.
func OpenFIFOReader(ctx context.Context, path string) (*PipeReader, error) {
	r := &PipeReader{pipeEnd{name: Path(path)}}
	if err := r.end.OpenFIFOReader(ctx, path); err != nil {
		return nil, r.opError("open", err)
	}
	return r, nil
}

// OpenFIFOWriter opens a FIFO for writing once somebody has opened it for reading, or the context ends. Otherwise it is
// like [OpenFIFOReader].
func OpenFIFOWriter(ctx context.Context, path string) (*PipeWriter, error) {
	w := &PipeWriter{pipeEnd{name: Path(path)}}
	if err := w.end.OpenFIFOWriter(ctx, path); err != nil {
		return nil, w.opError("open", err)
	}
	return w, nil
}
