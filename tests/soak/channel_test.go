//go:build unix

package soak

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/lipc/ipc"
)

// hasMessages reports whether the system has messages of this size. macOS has none, and the BSDs need larger buffers.
const hasMessages = runtime.GOOS == "linux"

func streamName(dir string) ipc.Name  { return ipc.Path(filepath.Join(dir, "stream")) }
func messageName(dir string) ipc.Name { return ipc.Path(filepath.Join(dir, "message")) }

// names returns the names that a server listens on.
func names(dir string) []ipc.Name {
	if !hasMessages {
		return []ipc.Name{streamName(dir)}
	}
	return []ipc.Name{streamName(dir), messageName(dir)}
}

// A channel is a connection that keeps payloads apart. Over a stream the size goes in front of each.
type channel struct {
	connection
	bytes *ipc.Conn // nil: one of messages
}

type connection interface {
	SendMessage(*ipc.Message) (int, error)
	ReceiveMessage(*ipc.Message) (int, error)
	CloseWrite() error
	Close() error
}

func overBytes(c *ipc.Conn, err error) (channel, error)           { return channel{c, c}, err }
func overMessages(c *ipc.MessageConn, err error) (channel, error) { return channel{c, nil}, err }

func dial(ctx context.Context, dir string, bytes bool) (channel, error) {
	if bytes {
		return overBytes(ipc.Dial(ctx, streamName(dir)))
	}
	return overMessages(ipc.DialMessage(ctx, messageName(dir)))
}

// frame returns what is sent for a payload.
func (c channel) frame(payload ...[]byte) [][]byte {
	if c.bytes == nil {
		return payload
	}
	size := 0
	for _, part := range payload {
		size += len(part)
	}
	return append([][]byte{binary.LittleEndian.AppendUint32(nil, uint32(size))}, payload...)
}

func (c channel) send(frame [][]byte, files ...*os.File) (err error) {
	if c.bytes != nil && len(files) == 0 {
		_, err = c.bytes.WriteBuffers(frame)
	} else {
		_, err = c.SendMessage(&ipc.Message{Buffers: frame, Files: files})
	}
	return err
}

// receive receives one payload into b, and the files that came with its first byte. The end is io.EOF between payloads,
// and io.ErrUnexpectedEOF within one.
func (c channel) receive(b []byte) (payload []byte, files []*os.File, err error) {
	first, size := b, make([]byte, 4)
	if c.bytes != nil {
		first = size
	}
	m := ipc.Message{Buffers: [][]byte{first}, MaxFiles: maxFiles}
	n, err := c.ReceiveMessage(&m)
	if err != nil || c.bytes == nil {
		return first[:n], m.Files, err
	}
	if payload, err = c.receiveRest(size, n, b); err != nil {
		closeAll(m.Files)
		return nil, nil, err
	}
	return payload, m.Files, nil
}

// receiveRest receives a payload of which n bytes of its size have come.
func (c channel) receiveRest(size []byte, n int, b []byte) ([]byte, error) {
	_, err := io.ReadFull(c.bytes, size[n:])
	if err == nil {
		length := int(binary.LittleEndian.Uint32(size))
		if length > len(b) {
			return nil, fmt.Errorf("a payload of %d bytes was announced", length)
		}
		b = b[:length]
		_, err = io.ReadFull(c.bytes, b)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}
