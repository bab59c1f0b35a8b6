package tests

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// cutBuffer is about how many bytes a connection of cutConns holds. A third of the messages is larger than that, and
// waits for its receiver.
const cutBuffer = 4096

// cutHeader is the size of the header of a message in these tests, which is its number and its length.
const cutHeader = 12

// After the header come these bytes, from an offset that differs from that of the messages before and after.
var cutBytes = random(128 << 10)

// cutMessage fills b with the message that has that number.
func cutMessage(b []byte, number uint64) {
	binary.LittleEndian.PutUint64(b, number)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)))
	copy(b[cutHeader:], cutBytes[number%100_000:])
}

// A cutReceiver counts what a connection received.
type cutReceiver struct {
	last  uint64          // message that came
	whole map[uint64]bool // messages that came whole, or as far as there was room
}

// take counts what was received into a buffer of that size, and is an error if that is not one message that was sent.
func (r *cutReceiver) take(message []byte, room int, err error) error {
	if err != nil && !errors.Is(err, ipc.ErrTruncated) {
		return err
	}
	if len(message) < cutHeader {
		if err == nil {
			return fmt.Errorf("%d bytes that are no message", len(message))
		}
		return nil // too little of it to know which message it was
	}
	number, length := binary.LittleEndian.Uint64(message), int(binary.LittleEndian.Uint32(message[8:]))
	if number <= r.last || length < len(message) || length > 4*cutBuffer {
		return fmt.Errorf("%d bytes after message %d: number %d, length %d, %v", len(message), r.last, number, length, err)
	}
	if err == nil && length != len(message) {
		return fmt.Errorf("%d bytes of message %d, of %d, without an error", len(message), number, length)
	}
	sent := make([]byte, length)
	cutMessage(sent, number)
	if !bytes.Equal(sent[:len(message)], message) {
		return fmt.Errorf("message %d, of %d bytes, came as another", number, length)
	}
	r.last = number
	r.whole[number] = err == nil || room < length
	return nil
}

// many is how many messages are received in each form.
const many = 20_000

// A cutForm is a way to receive, which passes what it received to take.
type cutForm func(c *ipc.MessageConn, r *cutReceiver, room []byte) error

func receiveInto(size int) cutForm {
	return func(c *ipc.MessageConn, r *cutReceiver, room []byte) error {
		n, err := c.Receive(room[:size])
		return r.take(room[:n], size, err)
	}
}

var cutForms = []struct {
	name    string
	receive cutForm
	count   uint64 // of messages; few where the receiver only looks for them at intervals
}{
	{"Receive", receiveInto(4 * cutBuffer), many},
	{"Receive into little", receiveInto(100), many},
	{"Receive into as much as the pipe's buffer", receiveInto(cutBuffer), many},
	{"ReceiveAppend", receiveAppended, many},
	{"ReceiveBatch", receiveBatch, many},
	{"ReceiveMessage", receiveScattered, many},
	{"Peek and Receive", peekAndReceive, many / 10},
	{"MessageSize and Receive", sizeAndReceive, many / 10},
}

func receiveAppended(c *ipc.MessageConn, r *cutReceiver, room []byte) error {
	got, err := c.ReceiveAppend(room[:0:100]) // which has to grow
	return r.take(got, 4*cutBuffer, err)
}

func receiveBatch(c *ipc.MessageConn, r *cutReceiver, room []byte) error {
	const size = cutBuffer + 1000
	messages := [][]byte{room[:size:size], room[size : 2*size : 2*size], room[2*size : 3*size : 3*size]}
	n, err := c.ReceiveBatch(messages)
	for i, message := range messages[:n] {
		var of error
		if i == n-1 {
			of = err
		}
		if err := r.take(message, size, of); err != nil {
			return err
		}
	}
	if errors.Is(err, ipc.ErrTruncated) {
		return nil
	}
	return err
}

func receiveScattered(c *ipc.MessageConn, r *cutReceiver, room []byte) error {
	n, err := c.ReceiveMessage(&ipc.Message{Buffers: [][]byte{room[:10], nil, room[10:1000], room[1000 : 3*cutBuffer]}})
	return r.take(room[:n], 3*cutBuffer, err)
}

func peekAndReceive(c *ipc.MessageConn, r *cutReceiver, room []byte) error {
	n, err := c.Peek(room)
	if err == nil {
		// The sender may take it back before it is received, but it is a message that was sent.
		err = (&cutReceiver{last: r.last, whole: map[uint64]bool{}}).take(room[:n], len(room), nil)
	}
	if err != nil && !errors.Is(err, ipc.ErrTruncated) {
		return err
	}
	return receiveInto(cutBuffer)(c, r, room)
}

func sizeAndReceive(c *ipc.MessageConn, r *cutReceiver, room []byte) error {
	n, err := c.MessageSize()
	if errors.Is(err, errors.ErrUnsupported) {
		n, err = 3*cutBuffer, nil
	}
	if err != nil {
		return err
	}
	return receiveInto(n)(c, r, room) // that may be another message by now
}

// A cutSender sends messages, of which deadlines and Close cut some.
type cutSender struct {
	random *rand.Rand
	number uint64 // of the last message
	sent   []uint64
	torn   int // connections that sent nothing more
}

// use sends messages up to a number over a connection, or until the connection sends no more.
func (s *cutSender) use(t *testing.T, c *ipc.MessageConn, last uint64) {
	var cuts sync.WaitGroup
	defer cuts.Wait()
	defer c.Close()
	message := make([]byte, 3*cutBuffer)
	for large := false; s.number < last; {
		s.number++
		size := cutHeader + s.random.IntN(300)
		switch s.random.IntN(3) {
		case 1:
			size = cutBuffer - 50 + s.random.IntN(100)
		case 2:
			size = cutHeader + s.random.IntN(len(message)-cutHeader)
		}
		cutMessage(message[:size], s.number)
		if how := s.random.IntN(1000); how < 60 {
			wait := s.random.IntN(60)
			cuts.Go(func() {
				for range wait {
					runtime.Gosched()
				}
				if how < 1 {
					c.Close()
				} else {
					c.SetWriteDeadline(time.Now().Add(-time.Second))
				}
			})
		}
		switch err := c.Send(message[:size]); {
		case err == nil:
			s.sent = append(s.sent, s.number)
		case errors.Is(err, os.ErrDeadlineExceeded):
			large = large || size > cutBuffer
			c.SetWriteDeadline(time.Time{})
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.EPIPE) && large && runtime.GOOS == "windows":
			s.torn++
			return
		default:
			t.Errorf("message %d, of %d bytes: %v", s.number, size, err)
			return
		}
	}
}

func TestMessagesStayWholeWhereverSendsAreCut(t *testing.T) {
	leakcheck.Start(t)
	connect := cutConns(t)
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	torn := 0
	for i, form := range cutForms {
		s := cutSender{random: rand.New(rand.NewPCG(seed, uint64(i)))}
		for s.number < form.count {
			from, to := connect()
			r := cutReceiver{last: s.number, whole: map[uint64]bool{}}
			s.sent = s.sent[:0]
			ended := make(chan error)
			go func() {
				room := make([]byte, 4*cutBuffer)
				for {
					if err := form.receive(to, &r, room); err != nil {
						to.Close()
						ended <- err
						return
					}
				}
			}()
			s.use(t, from, form.count)
			require.Equal(t, io.EOF, <-ended, form.name)
			for _, number := range s.sent {
				require.True(t, r.whole[number], "%s: message %d was sent, and did not come", form.name, number)
			}
		}
		torn += s.torn
	}
	if runtime.GOOS == "windows" {
		require.Positive(t, torn, "no send was cut halfway")
	}
}
