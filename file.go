package ipc

import (
	"io"
	"os"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// FromFile finds out what f is, and returns that on a duplicate of f: a [*Conn], [*Listener], [*MessageConn],
// [*MessageListener], [*DatagramConn], [*PipeReader] or [*PipeWriter]. It is for files that were inherited or received,
// such as those in [Activation].Files. f stays the caller's, but becomes non-blocking, and must stay so. Listeners have
// the default options. If f is none of these, the error is [syscall.ENOTSOCK]; other errors are those of [FileConn] and
// the like. On macOS and OpenBSD, which do not report whether a socket listens, a connection whose peer is gone may
// count as a listener.
func FromFile(f *os.File) (io.Closer, error) {
	kind, err := poll.KindOf(f)
	if err != nil {
		return nil, opError("file", Name{}, Name{}, err)
	}
	switch kind {
	case core.KindStream:
		return closer(FileConn(f))
	case core.KindStream | core.KindListener:
		return closer(FileListener(f))
	case core.KindMessage:
		return closer(FileMessageConn(f))
	case core.KindMessage | core.KindListener:
		return closer(FileMessageListener(f))
	case core.KindDatagram:
		return closer(FileDatagramConn(f))
	case core.KindPipeWriter:
		return closer(FilePipeWriter(f))
	default:
		return closer(FilePipeReader(f))
	}
}

// closer returns c, or a nil interface after an error, when c is a nil pointer.
func closer[C io.Closer](c C, err error) (io.Closer, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}
