package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

// A connection is one of any kind: bytes, messages or datagrams.
type connection interface {
	receive(w io.Writer) error // writes to w what the peer sends, until end of stream
	send(r io.Reader) error    // sends what r has, until its end
	echo() error               // sends back what the peer sends, until end of stream
	exchange(sent, got []byte) error
	peer() (ipc.Credentials, error)
	transport
}

// A transport is what all types of connections of the package have.
type transport interface {
	PeerCredentials() (ipc.Credentials, error)
	CloseWrite() error
	Close() error
	File() (*os.File, error)
	SyscallConn() (syscall.RawConn, error)
}

// connection returns a connection of the package as one of this kind.
func (k kind) connection(c any) connection {
	if ch, ok := c.(*ipc.Channel); ok {
		c = channel{ch, ch.Stream()}
	}
	if k.message || k.datagram {
		return &messages{carrier: c.(carrier), framing: framing{k.binary}}
	}
	return stream{c.(byteTransport)}
}

// A channel is an ipc.Channel, for bytes and for messages. No descriptor stands for it.
type channel struct {
	*ipc.Channel
	io.ReadWriter // its stream
}

func (channel) File() (*os.File, error) { return nil, errors.ErrUnsupported }

func (channel) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

// A stream is a connection of bytes.
type stream struct{ byteTransport }

type byteTransport interface {
	transport
	io.ReadWriter
}

// pieceSize is how many bytes of a stream are moved at a time. A local socket of Linux buffers about 208 KiB by
// default, net.core.wmem_default.
const pieceSize = 128 << 10

// conn returns the socket or pipe of a stream that is not a channel's.
func (s stream) conn() *ipc.Conn { return s.byteTransport.(*ipc.Conn) }

func (s stream) receive(w io.Writer) error {
	return copyPieces(w, s, outputError, same)
}

func (s stream) send(r io.Reader) error {
	return copyPieces(s, r, same, inputError)
}

func (s stream) echo() error {
	return copyPieces(s, s, same, same)
}

// exchange sends a piece, and receives one of the same size.
func (s stream) exchange(sent, got []byte) error {
	var written chan error
	if len(sent) <= onTheWay {
		if _, err := s.Write(sent); err != nil {
			return err
		}
	} else { // the peer may answer a part before it reads the rest
		written = make(chan error, 1)
		go func() {
			_, err := s.Write(sent)
			written <- err
		}()
	}
	_, err := io.ReadFull(s, got)
	if err == nil && written != nil {
		err = <-written
	}
	return err
}

// onTheWay is how many bytes can be written while nobody reads them. It is the least of all systems: 8 KiB on macOS and
// the BSDs (net.local.stream.sendspace), 64 KiB on Windows, more on Linux.
const onTheWay = 8 << 10

func (s stream) peer() (ipc.Credentials, error) { return s.PeerCredentials() }

func same(err error) error { return err }

func inputError(err error) error { return fmt.Errorf("standard input: %w", err) }

// copyPieces copies until the end. An error goes through writing if it is the writer's, and through reading if it is
// the reader's.
func copyPieces(w io.Writer, r io.Reader, writing, reading func(error) error) error {
	piece := make([]byte, pieceSize)
	for {
		n, err := r.Read(piece)
		if n > 0 {
			if _, err := w.Write(piece[:n]); err != nil {
				return writing(err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return reading(err)
		}
	}
}

// A carrier is a connection of messages, or a datagram socket.
type carrier interface {
	Send(message []byte) error
	ReceiveAppend(b []byte) ([]byte, error)
	transport
}

// messages is a connection of messages, or of datagrams.
type messages struct {
	carrier
	framing
	most int // how many to receive; 0: no limit
}

func (m *messages) receive(w io.Writer) error {
	var b []byte
	for count := 0; m.most == 0 || count < m.most; count++ {
		message, err := m.ReceiveAppend(m.room(b[:0]))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b = m.frame(message)
		if _, err := w.Write(b); err != nil {
			return outputError(err)
		}
	}
	return nil
}

func (m *messages) send(r io.Reader) error {
	input := bufio.NewReaderSize(r, pieceSize)
	for number := 1; ; number++ {
		message, err := m.next(input)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return inputError(err)
		}
		if err := m.Send(message); err != nil {
			return fmt.Errorf("message %d, of %d bytes: %w", number, len(message), err)
		}
	}
}

func (m *messages) echo() error {
	if datagrams, ok := m.carrier.(*ipc.DatagramConn); ok {
		return echoDatagrams(datagrams)
	}
	var b []byte
	for {
		var err error
		if b, err = m.ReceiveAppend(b[:0]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := m.Send(b); err != nil {
			return err
		}
	}
}

// echoDatagrams sends each datagram back whose sender has a name.
func echoDatagrams(c *ipc.DatagramConn) error {
	var b []byte
	for {
		size, err := c.MessageSize()
		if errors.Is(err, errors.ErrUnsupported) { // macOS and the BSDs do not report it
			size, err = 1<<20, nil
		}
		if err == nil {
			b = grow(b, size)
			var peer ipc.Name
			if size, peer, err = c.ReceiveFrom(b[:cap(b)]); err == nil && peer != (ipc.Name{}) {
				// Go on if this peer is gone, refuses the answer or reads nothing.
				_ = c.SetWriteDeadline(time.Now().Add(echoPatience))
				_ = c.SendTo(b[:size], peer)
			}
		}
		if err == io.EOF || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// echoPatience is how long to wait for room for the answer to a datagram.
const echoPatience = 10 * time.Millisecond

func grow(b []byte, size int) []byte {
	if cap(b) < size {
		return make([]byte, size)
	}
	return b
}

// exchange sends a message, and receives one of the same size.
func (m *messages) exchange(sent, got []byte) error {
	if err := m.Send(sent); err != nil {
		return err
	}
	answer, err := m.ReceiveAppend(got[:0])
	if err == nil && len(answer) != len(sent) {
		err = fmt.Errorf("an answer of %d bytes to %d", len(answer), len(sent))
	}
	return err
}

func (m *messages) peer() (ipc.Credentials, error) { return m.PeerCredentials() }

// framing is how messages are written in a stream of bytes: as lines, or each after its length.
type framing struct{ binary bool }

const lengthSize = 4

// room appends room for what frame puts in front of a message.
func (f framing) room(b []byte) []byte {
	if f.binary {
		return append(b, make([]byte, lengthSize)...)
	}
	return b
}

// frame completes a message that was appended after the room.
func (f framing) frame(b []byte) []byte {
	if f.binary {
		binary.BigEndian.PutUint32(b, uint32(len(b)-lengthSize))
		return b
	}
	return append(b, '\n')
}

// next reads a message. It returns io.EOF at the end.
func (f framing) next(r *bufio.Reader) ([]byte, error) {
	if !f.binary {
		return f.line(r)
	}
	var length [lengthSize]byte
	if _, err := io.ReadFull(r, length[:]); err == io.ErrUnexpectedEOF {
		return nil, errors.New("it ends within the length of a message")
	} else if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > messageLimit {
		return nil, fmt.Errorf("a message of %d bytes: at most %d", size, messageLimit)
	}
	message := make([]byte, size)
	if n, err := io.ReadFull(r, message); err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("it ends within a message, after %d of %d bytes", n, size)
	} else if err != nil {
		return nil, err
	}
	return message, nil
}

// line reads a line, and returns it without its line break. The last line need not have one.
func (framing) line(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case len(line) > messageLimit+1:
			return nil, fmt.Errorf("a line of more than %d bytes", messageLimit)
		case err == nil:
			return line[:len(line)-1], nil
		case err == io.EOF && len(line) > 0:
			return line, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// messageLimit is the largest message that any system takes: 1 GiB, on Windows.
const messageLimit = 1 << 30
