package ipc

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A PipeReader is the reading end of an unnamed pipe or a FIFO. Any goroutine may call any method at any time. Reading
// allocates no memory, and takes no thread while it waits. Errors are those of [Conn].
type PipeReader struct {
	pipeEnd
}

// A PipeWriter is the writing end of an unnamed pipe or a FIFO. Any goroutine may call any method at any time. Writing
// allocates no memory, and takes no thread while it waits. Errors are those of [Conn].
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

// Read reads the bytes that are there, at most len(b), and waits if there are none. It returns [io.EOF] if no process
// has the other end open any more. On a FIFO there is more to read once a process opens the other end again.
func (r *PipeReader) Read(b []byte) (int, error) { return r.readResult(r.end.Read(b)) }

// ReadContext is Read with a context, see [Conn.ReadContext].
func (r *PipeReader) ReadContext(ctx context.Context, b []byte) (int, error) {
	return r.readResult(r.end.ReadContext(ctx, b))
}

// ReadBuffers reads into several buffers, see [Conn.ReadBuffers].
func (r *PipeReader) ReadBuffers(buffers [][]byte) (int, error) {
	return r.readResult(r.end.ReadBuffers(buffers))
}

func (r *PipeReader) readResult(n int, err error) (int, error) {
	if err != nil && err != io.EOF {
		err = r.opError("read", err)
	}
	return n, err
}

// Write writes all of b, and waits for room as often as needed. With an error it returns the number of bytes written
// before the error. If no process has the reading end open, the error is [syscall.EPIPE]; SIGPIPE is never raised. If
// others write, too, at most 4096 bytes stay in one piece (PIPE_BUF; 512 on macOS and the BSDs; on Windows all of b),
// pipe(7).
func (w *PipeWriter) Write(b []byte) (int, error) {
	n, err := w.end.Write(b)
	return n, w.opError("write", err)
}

// WriteContext is Write with a context, see [Conn.WriteContext].
func (w *PipeWriter) WriteContext(ctx context.Context, b []byte) (int, error) {
	n, err := w.end.WriteContext(ctx, b)
	return n, w.opError("write", err)
}

// WriteBuffers writes several buffers, see [Conn.WriteBuffers].
func (w *PipeWriter) WriteBuffers(buffers [][]byte) (int, error) {
	n, err := w.end.WriteBuffers(buffers)
	return n, w.opError("write", err)
}

// Close closes this end. Operations under way, and all later ones, fail with [net.ErrClosed]; so does a second Close.
// What was written before can still be read.
func (p *pipeEnd) Close() error { return p.opError("close", p.end.Close()) }

// SetDeadline sets the time after which reads or writes fail with [os.ErrDeadlineExceeded], including those under way.
// The zero time means no deadline. An end that is for child processes, see [PipeConfig] and PassTo, has no deadline:
// [os.ErrNoDeadline].
func (p *pipeEnd) SetDeadline(t time.Time) error { return p.opError("set", p.end.SetDeadline(t)) }

// SetReadDeadline is SetDeadline.
func (r *PipeReader) SetReadDeadline(t time.Time) error { return r.SetDeadline(t) }

// SetWriteDeadline is SetDeadline. A write that the deadline ends may have written a part.
func (w *PipeWriter) SetWriteDeadline(t time.Time) error { return w.SetDeadline(t) }

// SetBuffer requests a buffer of this size in bytes, which both ends share. Linux: F_SETPIPE_SZ, fcntl(2), which rounds
// up to a power of two of pages and is limited to fs.pipe-max-size ([fs.ErrPermission]). Other systems:
// [errors.ErrUnsupported].
func (p *pipeEnd) SetBuffer(bytes int) error {
	return p.opError("set", p.end.SetBufferSize(core.Writing, bytes))
}

// SetSpin sets how long this end spins before it waits, see [Conn.SetSpin].
func (p *pipeEnd) SetSpin(d time.Duration) error { return p.opError("set", setSpin(&p.end, d)) }

// SyscallConn returns access to the system's handle, see [syscall.Conn].
func (p *pipeEnd) SyscallConn() (syscall.RawConn, error) { return newRawConn(&p.end, p.opError) }

// File returns a duplicate of the handle. Closing one does not affect the other. Both share the non-blocking mode,
// which most programs cannot handle. Pass an end to them with PassTo, or as cmd.Stdin = r and cmd.Stdout = w.
func (p *pipeEnd) File() (*os.File, error) {
	f, err := p.end.Duplicate(fileName(p.name))
	return f, p.opError("file", err)
}

// PassTo passes the end to a process that has not been started yet. The process finds it by the name, with
// [InheritedPipeReader] or [InheritedPipeWriter]. Other programs find the number of its descriptor in the environment
// variable IPC_PIPE_name: in a shell, cat "/dev/fd/$IPC_PIPE_name".
//
// PassTo adds the end to cmd.ExtraFiles, where it becomes the descriptor 2+len(cmd.ExtraFiles), and the variable to
// cmd.Env. A nil cmd.Env stands for os.Environ(). Set cmd.Env before, not after. If cmd.Env has the name already, or
// the process has been started, the error is [syscall.EINVAL].
//
// The end is then the child's. It is blocking, as programs expect. Reading from it or writing to it here fails with
// [syscall.EINVAL], also if it is under way. It must be closed here once the process has started; otherwise the other
// end does not learn that the child is gone.
//
// On Windows the number is that of a handle for overlapped operation, which PassTo adds to
// cmd.SysProcAttr.AdditionalInheritedHandles. For other programs use the ends of [PipeConfig].
func (p *pipeEnd) PassTo(cmd *exec.Cmd, name string) error {
	return p.opError("pass", passedPipe.passTo(cmd, &p.end, name))
}

// InheritedPipeReader returns the reading end that the parent process passed by that name with [PipeReader.PassTo]. It
// can be taken once. If there is none, the error is [fs.ErrNotExist].
func InheritedPipeReader(name string) (*PipeReader, error) {
	r := new(PipeReader)
	if err := r.inherit(name, core.KindPipeReader); err != nil {
		return nil, err
	}
	return r, nil
}

// InheritedPipeWriter returns the writing end that the parent process passed by that name with [PipeWriter.PassTo]. It
// can be taken once. If there is none, the error is [fs.ErrNotExist].
func InheritedPipeWriter(name string) (*PipeWriter, error) {
	w := new(PipeWriter)
	if err := w.inherit(name, core.KindPipeWriter); err != nil {
		return nil, err
	}
	return w, nil
}

func (p *pipeEnd) inherit(name string, kind core.Kind) error {
	_, _, err := passedPipe.inherit(&p.end, name, kind)
	return opError("inherit", Name{}, Name{}, err)
}

// FilePipeReader returns a reader on a duplicate of f, which must be the reading end of a pipe or a FIFO, for instance
// standard input. f stays the caller's, but becomes non-blocking, and must stay so. Every process that shares this end
// sees that change.
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
	// InheritReader and InheritWriter make an end one that child processes inherit. Every child that is started while
	// the end is open gets it, with the same descriptor number. The end is blocking, as programs expect; the other end
	// is not. It is for the children: reading from it or writing to it here fails with [syscall.EINVAL].
	// [PipeReader.PassTo] passes an end to one process only.
	//
	// On Windows package os/exec passes only the handles that it is told to, see [syscall.SysProcAttr]. There such an
	// end is not opened for overlapped operation, as programs expect of their standard input and output.
	InheritReader, InheritWriter bool

	// BufferSize is the size of the pipe's buffer in bytes, see [PipeReader.SetBuffer]. Zero means the system's
	// default: 64 KiB on Linux, pipe(7), and Windows.
	BufferSize int

	// Sys holds the options that only one system has. Nil means the defaults.
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

// CreateFIFO creates a FIFO with these permission bits, whatever the umask. A mode of 0 stands for 0600. If a file of
// that name exists, the error is [fs.ErrExist]; its text says so if the file is not a FIFO. To remove a FIFO use
// [os.Remove]. Windows has none: [errors.ErrUnsupported].
func CreateFIFO(path string, mode fs.FileMode) error {
	var err error
	if mode&^fs.ModePerm != 0 {
		err = core.Invalidf("mode %#o has more than permission bits", uint32(mode))
	} else {
		err = poll.CreateFIFO(path, mode)
	}
	return opError("mkfifo", Name{}, Path(path), err)
}

// OpenFIFOReader opens the reading end of a FIFO. It waits until a process has opened the FIFO for writing, or the
// context ends. It looks every 1 to 4 milliseconds, because no system reports it. A writer that has come and gone
// counts if it left something to read. On macOS a read that waits looks as often, because kqueue does not report to
// readers that the last writer is gone. Errors:
//
//   - [fs.ErrNotExist]: there is no such file.
//   - [fs.ErrExist]: the file is not a FIFO; the error's text says so.
//   - [context.Canceled], [context.DeadlineExceeded]: the context ended.
func OpenFIFOReader(ctx context.Context, path string) (*PipeReader, error) {
	r := &PipeReader{pipeEnd{name: Path(path)}}
	if err := r.end.OpenFIFOReader(ctx, path); err != nil {
		return nil, r.opError("open", err)
	}
	return r, nil
}

// OpenFIFOWriter opens the writing end of a FIFO. It waits until a process has opened the FIFO for reading, or the
// context ends. Otherwise it is like [OpenFIFOReader].
func OpenFIFOWriter(ctx context.Context, path string) (*PipeWriter, error) {
	w := &PipeWriter{pipeEnd{name: Path(path)}}
	if err := w.end.OpenFIFOWriter(ctx, path); err != nil {
		return nil, w.opError("open", err)
	}
	return w, nil
}
