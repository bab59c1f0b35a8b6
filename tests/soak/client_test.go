//go:build unix

package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A client makes connections one after the other. The messages of each are new: one that was not acknowledged is never
// sent again, since it may have been received.
type client struct {
	dir  string
	seed uint64
	id   uint64
	log  *os.File
}

// The ways in which a connection ends.
const (
	complete = iota // when all is acknowledged
	half            // half-closed, and read to the end
	abrupt          // without waiting
	torn            // without waiting, within a message
	ways
)

// clientChild ends after some connections, or after the present one when its input does.
func clientChild(dir string, seed, id uint64) error {
	log, err := openLog(filepath.Join(dir, "reported"))
	if err != nil {
		return err
	}
	defer log.Close()
	c := client{dir, seed, id, log}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	source := rand.New(rand.NewPCG(seed, id))
	first := uint32(0)
	for range 1 + source.IntN(20) {
		bytes, count, way := !hasMessages || source.IntN(2) == 0, uint32(source.IntN(30)), source.IntN(ways)
		for ctx.Err() == nil {
			steady := exists(steadyFile(dir))
			err := c.connect(bytes, first, first+count, way)
			first += count + 1 // the one that may have been torn
			if err == nil {
				break
			}
			if steady {
				return fmt.Errorf("the server lives: %w", err)
			}
			if !absent(err) && !gone(err) {
				return err
			}
			time.Sleep(10 * time.Millisecond) // then again: nothing tells that a server is there, and it has to start
		}
	}
	return nil
}

// steadyFile exists once the server will not be killed any more. It serves clients that connect then to the end.
func steadyFile(dir string) string { return filepath.Join(dir, "steady") }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// absent reports whether an error is one that dialling the name of a dead server may return.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// connect makes a connection, and sends the messages from first to before end.
func (c client) connect(bytes bool, first, end uint32, way int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dial(ctx, c.dir, bytes)
	if err != nil {
		return err
	}
	defer conn.Close()
	acknowledged := make(chan error, 1)
	go func() { acknowledged <- c.readAcknowledgements(conn, first, end, way) }()
	if err := c.sendAll(conn, first, end, way); err != nil {
		<-acknowledged // there may be more, up to the end
		return err
	}
	if way == abrupt || way == torn {
		conn.Close()
	}
	return <-acknowledged
}

func (c client) sendAll(conn channel, first, end uint32, way int) error {
	hello := binary.LittleEndian.AppendUint64(nil, c.id)
	if err := conn.send(conn.frame(binary.LittleEndian.AppendUint32(hello, first))); err != nil {
		return err
	}
	for sequence := first; sequence < end; sequence++ {
		if err := c.sendOne(conn, sequence, false); err != nil {
			return err
		}
	}
	switch {
	case way == half:
		return conn.CloseWrite()
	case way == torn && conn.bytes != nil:
		return c.sendOne(conn, end, true)
	}
	return nil
}

func (c client) sendOne(conn channel, sequence uint32, torn bool) error {
	m := message{c.seed, c.id, sequence}
	payload, count := m.content()
	files, err := m.open(count, c.dir)
	if err != nil {
		return err
	}
	defer closeAll(files)
	frame := conn.frame(payload...)
	if torn {
		frame = frame[:len(frame)-1]
	}
	return conn.send(frame, files...)
}

// readAcknowledgements reports the messages that are acknowledged, which are all, in order. Where the client
// half-closed, the server's goodbye and the end follow.
func (c client) readAcknowledgements(conn channel, first, end uint32, way int) error {
	next := first
	for b := make([]byte, 4); way != complete || next < end; {
		payload, _, err := conn.receive(b)
		if errors.Is(err, net.ErrClosed) && way != half {
			return nil
		}
		if err != nil {
			return err
		}
		sequence := binary.LittleEndian.Uint32(payload)
		if sequence == goodbye && way == half && next == end {
			return c.readEnd(conn)
		}
		if sequence != next {
			return fmt.Errorf("message %d was acknowledged, and not %d of %d to %d", sequence, next, first, end)
		}
		if err := (record{Client: c.id, Sequence: sequence, Event: acknowledged}).appendTo(c.log); err != nil {
			return err
		}
		next++
	}
	return nil
}

func (c client) readEnd(conn channel) error {
	if _, _, err := conn.receive(make([]byte, 4)); err != io.EOF {
		return fmt.Errorf("after the last acknowledgement came %v, and not the end", err)
	}
	return record{Client: c.id, Event: halfClosed}.appendTo(c.log)
}
