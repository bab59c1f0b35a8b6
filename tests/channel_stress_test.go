package tests

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A stress sends numbered messages over a channel, and checks those that it receives. Both ends derive what the other
// sends from a seed.
type stress struct {
	channel *ipc.Channel
	count   int
	seed    uint64
	shared  bool
}

const (
	stressHeader = 12      // the number of the message and the checksum of the rest, if it has room for them
	stressMost   = 1 << 20 // the largest message
)

// messages returns the sizes of the messages, and whether each has a file.
func (s *stress) messages(seed uint64) func() (size int, file bool) {
	random := rand.New(rand.NewPCG(seed, 1))
	return func() (int, bool) {
		most := 4096
		switch random.IntN(1000) {
		case 0:
			most = stressMost
		case 1, 2, 3, 4:
			return random.IntN(3), false
		case 5:
			return stressHeader + random.IntN(100), passesFiles
		}
		return random.IntN(1 + random.IntN(most)), false
	}
}

func fillStress(b []byte, number int) {
	if len(b) < stressHeader {
		for i := range b {
			b[i] = byte(number)
		}
		return
	}
	rest := b[stressHeader:]
	for i := 0; i < len(rest); i += 64 { // enough to tell messages and their parts apart
		rest[i] = byte(number + i>>6)
	}
	binary.LittleEndian.PutUint64(b, uint64(number))
	binary.LittleEndian.PutUint32(b[8:], crc32.ChecksumIEEE(rest))
}

func checkStress(b []byte, number, size int) error {
	if len(b) != size {
		return fmt.Errorf("message %d has %d bytes, and not %d", number, len(b), size)
	}
	if size < stressHeader {
		for _, c := range b {
			if c != byte(number) {
				return fmt.Errorf("message %d has the byte %d", number, c)
			}
		}
		return nil
	}
	if got := binary.LittleEndian.Uint64(b); got != uint64(number) {
		return fmt.Errorf("message %d came in place of %d", got, number)
	}
	if got := crc32.ChecksumIEEE(b[stressHeader:]); got != binary.LittleEndian.Uint32(b[8:]) {
		return fmt.Errorf("message %d of %d bytes has the wrong checksum", number, size)
	}
	return nil
}

// retry performs a call until no deadline ends it. Deadlines that pass come at random.
func retryStress(random *rand.Rand, set func(time.Time) error, call func() error) error {
	for {
		limited := random.IntN(50) == 0
		if limited {
			if err := set(time.Now().Add(time.Duration(random.IntN(100)) * time.Microsecond)); err != nil {
				return err
			}
		}
		err := call()
		if limited {
			if err := set(time.Time{}); err != nil {
				return err
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

func (s *stress) send() error {
	random := rand.New(rand.NewPCG(s.seed, 3))
	next := s.messages(s.seed)
	file, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer file.Close()
	var batch [][]byte
	for i := range 16 {
		batch = append(batch, make([]byte, stressMost)[:i])
	}
	set := s.channel.SetWriteDeadline
	if !s.shared { // a message that a deadline ended may still arrive
		set = func(time.Time) error { return nil }
	}
	for number := 0; number < s.count; {
		size, withFile := next()
		message := batch[0][:size]
		fillStress(message, number)
		switch how := random.IntN(4); {
		case withFile:
			err = retryStress(random, set, func() error { _, err := s.channel.SendFiles(message, file); return err })
		case how == 0:
			err = retryStress(random, set, func() error { return s.channel.Send(message) })
		case how == 1 && size < 1000:
			err = retryStress(random, set, func() error {
				room, err := s.channel.Reserve(size + 10)
				if err == nil {
					fillStress(room[:size], number)
					err = s.channel.Commit(size)
				}
				return err
			})
		case how == 2 && number+16 < s.count:
			messages := append([][]byte(nil), message)
			for len(messages) < 1+random.IntN(15) {
				size, withFile = next()
				if withFile {
					break
				}
				messages = append(messages, batch[len(messages)][:size])
				fillStress(messages[len(messages)-1], number+len(messages)-1)
			}
			for sent := 0; sent < len(messages) && err == nil; {
				err = retryStress(random, set, func() error {
					n, err := s.channel.SendBatch(messages[sent:])
					sent += n
					return err
				})
			}
			number += len(messages) - 1
			if withFile && err == nil {
				number++
				message = batch[0][:size]
				fillStress(message, number)
				_, err = s.channel.SendFiles(message, file)
			}
		default:
			err = retryStress(random, set, func() error { return s.channel.Send(message) })
		}
		if err != nil {
			return fmt.Errorf("message %d: %w", number, err)
		}
		number++
	}
	return s.channel.CloseWrite()
}

func (s *stress) receive(seed uint64) error {
	random := rand.New(rand.NewPCG(s.seed, 4))
	next := s.messages(seed)
	buffer, files := make([]byte, stressMost), make([]*os.File, 2)
	batch := make([][]byte, 16)
	memory := make([]byte, 16*stressMost)
	size, withFile := next()
	how := 0
	for number := 0; number < s.count; {
		for i := range batch {
			batch[i] = memory[i*stressMost : (i+1)*stressMost]
		}
		var got [][]byte
		err := retryStress(random, s.channel.SetReadDeadline, func() (err error) {
			n := 0
			got = nil
			how = random.IntN(5)
			switch how {
			case 0:
				n, err = s.channel.Receive(buffer)
				got = append(got, buffer[:n])
			case 1:
				b, err := s.channel.ReceiveAppend(buffer[:0])
				got = append(got, b)
				return err
			case 2:
				b, err := s.channel.Next()
				if err == nil {
					got = append(got, append(buffer[:0], b...))
					s.channel.Release()
				}
				return err
			case 3:
				n, err = s.channel.ReceiveBatch(batch)
				got = batch[:n]
			case 4:
				count := 0
				n, count, err = s.channel.ReceiveFiles(buffer, files)
				got = append(got, buffer[:n])
				for _, f := range files[:count] {
					f.Close()
				}
				if err == nil && withFile != (count == 1) {
					return fmt.Errorf("message %d has %d files", number, count)
				}
			}
			return err
		})
		for _, message := range got {
			if err == nil {
				err = checkStress(message, number, size)
				size, withFile = next()
				number++
			}
		}
		if err != nil {
			return fmt.Errorf("before message %d of %d bytes, received in way %d: %w", number, size, how, err)
		}
	}
	if _, err := s.channel.Receive(buffer); err != io.EOF {
		return fmt.Errorf("not the end: %w", err)
	}
	return nil
}

func (s *stress) run(peer uint64) error {
	shared, err := s.channel.Shared()
	if err != nil {
		return err
	}
	s.shared = shared
	sent := make(chan error, 1)
	go func() { sent <- s.send() }()
	err = s.receive(peer)
	if err != nil {
		s.channel.Close()
	}
	return errors.Join(err, <-sent)
}

// channelStressChild serves NAME, and sends and checks COUNT messages on the first channel.
func channelStressChild(args []string, _ *bufio.Scanner) error {
	l, err := ipc.ListenChannel(ipc.Path(args[0]))
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening")
	c, err := l.AcceptChannel(context.Background())
	if err != nil {
		return err
	}
	defer c.Close()
	count, _ := strconv.Atoi(args[1])
	err = (&stress{channel: c, count: count, seed: 1}).run(2)
	fmt.Println("done", err)
	return err
}

// CHANNEL_MESSAGES sets how many messages go each way.
func TestNoMessageIsLostRepeatedOrOutOfOrder(t *testing.T) {
	leakcheck.Start(t)
	count := 20_000
	if text := os.Getenv("CHANNEL_MESSAGES"); text != "" {
		var err error
		count, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	for name, config := range channelConfigs {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			peer := start(t, "channel stress", path.String(), strconv.Itoa(count))
			peer.expect("listening")
			c, err := (&ipc.Dialer{Channel: config}).DialChannel(t.Context(), path)
			require.NoError(t, err)
			require.NoError(t, (&stress{channel: c, count: count, seed: 2}).run(1))
			peer.expect("done <nil>")
			require.NoError(t, c.Close())
		})
	}
}
