//go:build unix

package main

import (
	"net"
	"os"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/bench/contender"
)

const (
	ringSize = 256 << 10 // the default
	batch    = 16        // messages of a call
)

// A wrapper makes a channel what the loops use.
type wrapper func(*ipc.Channel, contender.Job) contender.Conn

// channel returns a variant that transfers messages. Memory is required, so that no figure is that of a connection.
func channel(works []string, config ipc.ChannelConfig, wrap wrapper) contender.Variant {
	config.Memory = ipc.RequireMemory
	listen := func(j contender.Job) (contender.Listener, error) {
		config := configure(config, j)
		lc := ipc.ListenConfig{Channel: &config}
		l, err := lc.ListenChannel(background, ipc.Path(j.Address))
		if err != nil {
			return nil, err
		}
		accept := func() (contender.Conn, error) {
			c, err := l.AcceptChannel(background)
			if err != nil {
				return nil, err
			}
			_, err = c.Shared() // waits for the handshake, which a Close would end
			return wrap(c, j), err
		}
		return contender.ListenerOf[contender.Conn]{AcceptConn: accept, CloseAll: l.Close}, nil
	}
	dialer := func(j contender.Job) (contender.Dial, error) {
		config := configure(config, j)
		d, name := ipc.Dialer{Channel: &config}, ipc.Path(j.Address)
		return func() (contender.Conn, error) {
			c, err := d.DialChannel(background, name)
			if err != nil {
				return nil, err
			}
			return wrap(c, j), nil
		}, nil
	}
	return contender.Variant{Works: works, Listen: listen, Dialer: dialer}
}

// configure returns the options for a job: memory for all channels, and if RingSize is set, for four units in a ring.
func configure(config ipc.ChannelConfig, j contender.Job) ipc.ChannelConfig {
	if config.RingSize != 0 {
		config.RingSize = max(config.RingSize, 4*j.Size)
	}
	config.Budget = int64(1+j.Count) * int64(2*max(config.RingSize, ringSize)+4096)
	return config
}

// A channelConn is a channel of messages, and the file that it receives.
type channelConn struct {
	*ipc.Channel
	files [1]*os.File
}

func newChannelConn(c *ipc.Channel, _ contender.Job) contender.Conn { return &channelConn{Channel: c} }

func (c *channelConn) Read(b []byte) (int, error)  { return c.Receive(b) }
func (c *channelConn) Write(b []byte) (int, error) { return len(b), c.Send(b) }

func (c *channelConn) SendFile(b []byte, f *os.File) error {
	_, err := c.SendFiles(b, f)
	return err
}

func (c *channelConn) ReceiveFile(b []byte) error {
	_, n, err := c.ReceiveFiles(b, c.files[:])
	return closed(n, c.files[0], err)
}

// A streamOfChannel is a channel of bytes.
type streamOfChannel struct{ net.Conn }

func newStreamOfChannel(c *ipc.Channel, _ contender.Job) contender.Conn {
	return streamOfChannel{c.Stream()}
}

// A zeroCopyConn makes each unit in the shared memory, where the receiver looks at it. The loops need only the last
// byte.
type zeroCopyConn struct{ *ipc.Channel }

func newZeroCopyConn(c *ipc.Channel, _ contender.Job) contender.Conn { return zeroCopyConn{c} }

// Write writes all of a unit, since a program would have to write what it sends, too.
func (c zeroCopyConn) Write(b []byte) (int, error) {
	room, err := c.Reserve(len(b))
	if err != nil {
		return 0, err
	}
	clear(room)
	room[len(b)-1] = b[len(b)-1]
	return len(b), c.Commit(len(b))
}

func (c zeroCopyConn) Read(b []byte) (int, error) {
	message, err := c.Next()
	if err != nil {
		return 0, err
	}
	n := len(message)
	b[n-1] = message[n-1]
	c.Release()
	return n, nil
}

// A batchConn sends and receives several units in a call. The loops need only the last byte of what was received.
type batchConn struct {
	*ipc.Channel
	sending  [][]byte // zeroes
	waiting  int      // units of sending to be sent
	buffers  [][]byte
	received [][]byte // in buffers, and not yet read
}

func newBatchConn(c *ipc.Channel, j contender.Job) contender.Conn {
	bc := &batchConn{Channel: c}
	for range batch {
		bc.sending = append(bc.sending, make([]byte, j.Size))
		bc.buffers = append(bc.buffers, make([]byte, j.Size))
	}
	return bc
}

// Write gathers units that end with 0. All others end a batch.
func (c *batchConn) Write(b []byte) (int, error) {
	last := b[len(b)-1] != 0
	if !last {
		c.waiting++
	}
	if c.waiting > 0 && (last || c.waiting == batch) {
		if _, err := c.SendBatch(c.sending[:c.waiting]); err != nil {
			return 0, err
		}
		c.waiting = 0
	}
	if last {
		return len(b), c.Send(b)
	}
	return len(b), nil
}

func (c *batchConn) Read(b []byte) (int, error) {
	if len(c.received) == 0 {
		for i := range c.buffers {
			c.buffers[i] = c.buffers[i][:cap(c.buffers[i])]
		}
		n, err := c.ReceiveBatch(c.buffers)
		if err != nil {
			return 0, err
		}
		c.received = c.buffers[:n]
	}
	message := c.received[0]
	c.received = c.received[1:]
	n := len(message)
	b[n-1] = message[n-1]
	return n, nil
}
