package poll

import (
	"context"
	"os"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// HasChannels reports whether the system has channels.
const HasChannels = false

// A Channel cannot be opened on Windows: the core's waits for a pipe in a way that is not the completion port's.
type Channel struct{}

func ChannelPair(_, _ *Channel, _, _ *Endpoint, _ core.ChannelOptions) error {
	return core.Unsupported()
}

func (c *Channel) Start(*Endpoint, core.ChannelOptions) error         { return core.Unsupported() }
func (c *Channel) Handshake(context.Context) error                    { return core.ErrZero }
func (c *Channel) Send([]byte) error                                  { return core.ErrZero }
func (c *Channel) Write([]byte) (int, error)                          { return 0, core.ErrZero }
func (c *Channel) SendBatch([][]byte) (int, error)                    { return 0, core.ErrZero }
func (c *Channel) Reserve(int) ([]byte, error)                        { return nil, core.ErrZero }
func (c *Channel) Commit(int) error                                   { return core.ErrZero }
func (c *Channel) Receive([]byte) (int, error)                        { return 0, core.ErrZero }
func (c *Channel) Read([]byte) (int, error)                           { return 0, core.ErrZero }
func (c *Channel) MessageSize() (int, error)                          { return 0, core.ErrZero }
func (c *Channel) ReceiveAppend(b []byte, _ int) ([]byte, int, error) { return b, 0, core.ErrZero }
func (c *Channel) ReceiveBatch([][]byte) (int, error)                 { return 0, core.ErrZero }
func (c *Channel) Next() ([]byte, error)                              { return nil, core.ErrZero }
func (c *Channel) Peek([]byte) (int, error)                           { return 0, core.ErrZero }
func (c *Channel) Release()                                           {}
func (c *Channel) CloseRead() error                                   { return core.ErrZero }
func (c *Channel) CloseWrite() error                                  { return core.ErrZero }
func (c *Channel) SetReadDeadline(time.Time) error                    { return core.ErrZero }
func (c *Channel) SetWriteDeadline(time.Time) error                   { return core.ErrZero }
func (c *Channel) SetDeadline(time.Time) error                        { return core.ErrZero }
func (c *Channel) Shared() (bool, error)                              { return false, core.ErrZero }
func (c *Channel) Close() error                                       { return core.ErrZero }

func (c *Channel) SendMessage([][]byte, []*os.File, func(*core.Ancillary) error) (int, error) {
	return 0, core.ErrZero
}

func (c *Channel) ReceiveMessage([][]byte, int, func(*core.Ancillary)) (int, error) {
	return 0, core.ErrZero
}
