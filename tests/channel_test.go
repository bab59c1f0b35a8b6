package tests

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// channelConfigs are channels of each sort.
var channelConfigs = map[string]*ipc.ChannelConfig{
	"shared":     {Memory: ipc.PreferMemory},
	"not shared": {Memory: ipc.NeverMemory},
	"no spin":    {Spin: -1},
	"small ring": {RingSize: 4096},
}

// eachChannel runs a test on pairs and on connections of each sort.
func eachChannel(t *testing.T, test func(t *testing.T, a, b *ipc.Channel)) {
	for name, config := range channelConfigs {
		t.Run(name, func(t *testing.T) {
			leakcheck.Start(t)
			a, b, err := ipc.ChannelPair(config)
			require.NoError(t, err)
			test(t, a, b)
			a.Close()
			b.Close()
		})
		t.Run(name+", connected", func(t *testing.T) {
			leakcheck.Start(t)
			client, server := channels(t, config)
			test(t, server, client)
		})
	}
}

// channels returns both ends of a channel over a name.
func channels(t *testing.T, config *ipc.ChannelConfig) (client, server *ipc.Channel) {
	t.Helper()
	name := newPath(t)
	l, err := (&ipc.ListenConfig{Channel: config}).ListenChannel(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	dialled := make(chan *ipc.Channel)
	go func() {
		c, err := (&ipc.Dialer{Channel: config}).DialChannel(t.Context(), name)
		assert.NoError(t, err)
		dialled <- c
	}()
	server, err = l.AcceptChannel(t.Context())
	require.NoError(t, err)
	client = <-dialled
	require.NotNil(t, client)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestChannelKeepsMessagesApart(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		for _, message := range []string{"first", "", "third"} {
			require.NoError(t, a.Send([]byte(message)))
		}
		buf := make([]byte, 10)
		for _, message := range []string{"first", "", "third"} {
			n, err := b.Receive(buf)
			require.NoError(t, err)
			require.Equal(t, message, string(buf[:n]))
		}
		require.NoError(t, b.Send([]byte("back")))
		got, err := a.ReceiveAppend([]byte("and "))
		require.NoError(t, err)
		require.Equal(t, "and back", string(got))
	})
}

func TestChannelCarriesMessagesLargerThanItsMemory(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		for _, size := range []int{4096, 100_000, 1 << 20} {
			message := make([]byte, size)
			for i := range message {
				message[i] = byte(i * 7)
			}
			sent := make(chan error)
			go func() { sent <- a.Send(message) }()
			got, err := b.ReceiveAppend(nil)
			require.NoError(t, err)
			require.Equal(t, message, got)
			require.NoError(t, <-sent)
		}
	})
}

func TestChannelEndsAfterWhatWasSent(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		require.NoError(t, a.Send([]byte("last")))
		_, err := a.Reserve(4)
		require.NoError(t, err)
		require.NoError(t, a.CloseWrite())
		require.ErrorIs(t, a.Send([]byte("x")), syscall.EPIPE)
		require.ErrorIs(t, a.Commit(4), syscall.EPIPE)
		buf := make([]byte, 10)
		n, err := b.Receive(buf)
		require.NoError(t, err)
		require.Equal(t, "last", string(buf[:n]))
		_, err = b.Receive(buf)
		require.Equal(t, io.EOF, err)
		require.NoError(t, b.Send([]byte("answer")))
		n, err = a.Receive(buf)
		require.NoError(t, err)
		require.Equal(t, "answer", string(buf[:n]))
		require.NoError(t, b.Send([]byte("before Close")))
		require.NoError(t, b.Close())
		got, err := a.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, "before Close", string(got))
		_, err = a.Receive(buf)
		require.Equal(t, io.EOF, err)
	})
}

func TestChannelDeadlinesAndCloseEndEverythingThatWaits(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		require.NoError(t, a.SetDeadline(time.Now().Add(10*time.Millisecond)))
		_, err := a.Receive(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		big := make([]byte, 8<<20)
		require.ErrorIs(t, a.Send(big), os.ErrDeadlineExceeded)
		require.NoError(t, a.SetDeadline(time.Time{}))
		waiting := make(chan error, 2)
		go func() { _, err := a.Receive(make([]byte, 1)); waiting <- err }()
		go func() { waiting <- a.Send(big) }()
		require.NoError(t, a.Close())
		require.ErrorIs(t, <-waiting, net.ErrClosed)
		require.ErrorIs(t, <-waiting, net.ErrClosed)
		require.ErrorIs(t, a.Close(), net.ErrClosed)
		_, err = b.Receive(make([]byte, 1))
		if errors.Is(err, ipc.ErrTruncated) { // Send had begun before Close
			_, err = b.Receive(make([]byte, 1))
		}
		require.Equal(t, io.EOF, err)
	})
}

func TestChannelBatches(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		const count = 1000
		go func() {
			var batch [][]byte
			for i := range count {
				batch = append(batch, fmt.Append(nil, "message ", i))
				if len(batch) == 16 || i == count-1 {
					n, err := a.SendBatch(batch)
					assert.NoError(t, err)
					assert.Equal(t, len(batch), n)
					batch = nil
				}
			}
		}()
		for next := 0; next < count; {
			batch := make([][]byte, 7)
			for i := range batch {
				batch[i] = make([]byte, 100)
			}
			n, err := b.ReceiveBatch(batch)
			require.NoError(t, err)
			require.NotZero(t, n)
			for _, message := range batch[:n] {
				require.Equal(t, fmt.Sprint("message ", next), string(message))
				next++
			}
		}
	})
}

func TestChannelBatchThatWasSentArrives(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		batch := [][]byte{make([]byte, 1000), make([]byte, 1000)}
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
		sent := 0
		for _, err := a.SendBatch(batch); err == nil; _, err = a.SendBatch(batch) {
			sent += len(batch)
		}
		require.NoError(t, b.SetReadDeadline(time.Now().Add(10*time.Second)))
		for range sent {
			_, err := b.Receive(batch[0])
			require.NoError(t, err)
		}
	})
}

func TestChannelWithoutCopying(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		for i := range 100 {
			room, err := a.Reserve(200)
			require.NoError(t, err)
			n := copy(room, fmt.Sprint("message ", i))
			require.NoError(t, a.Commit(n))
			message, err := b.Next()
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("message ", i), string(message))
			again, err := b.Next()
			require.NoError(t, err)
			require.Equal(t, message, again)
			b.Release()
		}
		room, err := a.Reserve(100)
		require.NoError(t, err)
		require.NoError(t, b.Send([]byte("lent")))
		lent, err := a.Next()
		require.NoError(t, err)
		require.NoError(t, a.Close())
		room[99] = 1
		require.Equal(t, "lent", string(lent))
		a.Release()
		require.ErrorIs(t, a.Commit(100), net.ErrClosed)
	})
}

// receiveWhileLent checks that every method that receives, but for Next, refuses to.
func receiveWhileLent(c *ipc.Channel) error {
	b := make([]byte, 10)
	for what, receive := range map[string]func() (int, error){
		"Receive":        func() (int, error) { return c.Receive(b) },
		"ReceiveAppend":  func() (int, error) { b, err := c.ReceiveAppend(nil); return len(b), err },
		"ReceiveBatch":   func() (int, error) { return c.ReceiveBatch([][]byte{b}) },
		"ReceiveMessage": func() (int, error) { return c.ReceiveMessage(&ipc.Message{Buffers: [][]byte{b}}) },
		"Peek":           func() (int, error) { return c.Peek(b) },
		"MessageSize":    c.MessageSize,
		"Read":           func() (int, error) { return c.Stream().Read(b) },
	} {
		if n, err := receive(); n != 0 || !errors.Is(err, syscall.EINVAL) ||
			!strings.Contains(err.Error(), "Next returned was not released") {
			return fmt.Errorf("%s: %d, %w", what, n, err)
		}
	}
	return nil
}

func TestPeekLeavesTheMessage(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		for _, size := range []int{10, 1 << 20} {
			message, got := bytes.Repeat([]byte("x"), size), make([]byte, size)
			sent := make(chan error)
			go func() { sent <- a.Send(message) }()
			n, err := b.Peek(got)
			require.NoError(t, err)
			require.Equal(t, message, got[:n])
			n, err = b.Peek(got[:3])
			require.ErrorIs(t, err, ipc.ErrTruncated)
			require.Equal(t, 3, n)
			got, err = b.ReceiveAppend(got[:0])
			require.NoError(t, err)
			require.Equal(t, message, got)
			require.NoError(t, <-sent)
		}
	})
}

func TestLentMessageOfSeveralPartsOutlivesItsChannel(t *testing.T) {
	leakcheck.Start(t)
	for what, end := range map[string]func(*ipc.Channel) error{
		"Close": (*ipc.Channel).Close,
		"CloseRead": func(c *ipc.Channel) error {
			if err := c.CloseRead(); !errors.Is(err, errors.ErrUnsupported) { // which it is on Windows
				return err
			}
			return nil
		},
		"receiving": func(c *ipc.Channel) error { return receiveWhileLent(c) },
	} {
		t.Run(what, func(t *testing.T) {
			eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
				message := bytes.Repeat([]byte("lent"), 1<<20) // free gives so much back to the system
				sent := make(chan error)
				go func() { sent <- a.Send(message) }()
				lent, err := b.Next()
				require.NoError(t, err)
				require.NoError(t, <-sent)
				require.NoError(t, end(b))
				require.True(t, bytes.Equal(message, lent))
				b.Release()
			})
		})
	}
}

func TestChannelStreamsBytes(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		data := make([]byte, 3<<20)
		for i := range data {
			data[i] = byte(rand.IntN(256))
		}
		go func() {
			n, err := a.Stream().Write(data)
			assert.NoError(t, err)
			assert.Equal(t, len(data), n)
			assert.NoError(t, a.CloseWrite())
		}()
		got, err := io.ReadAll(b.Stream())
		require.NoError(t, err)
		require.Equal(t, data, got)
	})
}

func TestBytesOfCallsThatDeadlinesEndArriveOnce(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		data := make([]byte, 4<<20)
		for i := range data {
			data[i] = byte(rand.IntN(256))
		}
		soon := func() time.Time { return time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond) }
		go func() {
			w, rest := a.Stream(), data
			for len(rest) > 0 {
				assert.NoError(t, w.SetWriteDeadline(soon()))
				n, err := w.Write(rest[:min(len(rest), rand.IntN(200_000))])
				if rest = rest[n:]; err != nil && !assert.ErrorIs(t, err, os.ErrDeadlineExceeded) {
					break
				}
			}
			assert.NoError(t, w.SetWriteDeadline(time.Time{}))
			assert.NoError(t, a.CloseWrite())
		}()
		r := b.Stream()
		var got []byte
		for buf := make([]byte, 100_000); ; {
			require.NoError(t, r.SetReadDeadline(soon()))
			n, err := r.Read(buf[:1+rand.IntN(len(buf)-1)])
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			require.True(t, err == nil || errors.Is(err, os.ErrDeadlineExceeded), err)
		}
		require.True(t, bytes.Equal(data, got))
	})
}

func TestChannelBothWaysAtOnce(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		const count = 5000
		var group sync.WaitGroup
		for _, ends := range [][2]*ipc.Channel{{a, b}, {b, a}} {
			group.Go(func() {
				random := rand.New(rand.NewPCG(1, 2))
				for range count {
					message := make([]byte, random.IntN(3000))
					for i := range message {
						message[i] = byte(len(message))
					}
					if !assert.NoError(t, ends[0].Send(message)) {
						return
					}
				}
			})
			group.Go(func() {
				random := rand.New(rand.NewPCG(1, 2))
				for range count {
					got, err := ends[1].ReceiveAppend(nil)
					if !assert.NoError(t, err) || !assert.Len(t, got, random.IntN(3000)) {
						return
					}
				}
			})
		}
		group.Wait()
	})
}

func TestChannelsAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		message, batch, got := make([]byte, 64), make([][]byte, 8), make([][]byte, 8)
		memory := make([]byte, 1024)
		reader, writer := b.Stream(), a.Stream()
		requireNoAllocations(t, map[string]func() error{
			"send and receive": func() error {
				err := a.Send(message)
				if err == nil {
					_, err = b.Receive(message)
				}
				return err
			},
			"batch": func() error {
				for i := range batch {
					batch[i], got[i] = message, memory[i*100:i*100+100]
				}
				_, err := a.SendBatch(batch)
				for n := 0; n < len(batch) && err == nil; {
					var received int
					received, err = b.ReceiveBatch(got[n:])
					n += received
				}
				return err
			},
			"append": func() error {
				err := a.Send(message)
				if err == nil {
					_, err = b.ReceiveAppend(memory[:0])
				}
				return err
			},
			"without copying": func() error {
				_, err := a.Reserve(64)
				if err == nil {
					err = a.Commit(64)
				}
				if err == nil {
					_, err = b.Next()
					b.Release()
				}
				return err
			},
			"bytes": func() error {
				_, err := writer.Write(message)
				if err == nil {
					_, err = io.ReadFull(reader, message)
				}
				return err
			},
		})
	})
}

func TestHTTPOverChannels(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := ipc.ListenChannel(name)
	require.NoError(t, err)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}
	go server.Serve(l)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := ipc.DialChannel(ctx, name)
		if err != nil {
			return nil, err
		}
		return c.Stream(), nil
	}}
	client := http.Client{Transport: transport}
	body := bytes.Repeat([]byte("x"), 1<<20)
	for range 3 {
		response, err := client.Post("http://channel/", "text/plain", bytes.NewReader(body))
		require.NoError(t, err)
		got, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, body, got)
	}
	transport.CloseIdleConnections()
	require.NoError(t, server.Close())
}

// channelHello is what the client of a channel sends first, see docs/channel-protocol.md.
var channelHello = func() []byte {
	hello := append([]byte("\x89lipc\r\n\x1a"), make([]byte, 56)...)
	order := binary.NativeEndian
	order.PutUint32(hello[8:], 0x01020304)
	order.PutUint32(hello[12:], uint32(len(hello)))
	order.PutUint16(hello[16:], 1) // versions
	order.PutUint16(hello[18:], 1)
	order.PutUint32(hello[24:], 4096)   // ring_size
	order.PutUint32(hello[28:], 16<<20) // max_message
	return hello
}()

func TestChannelMessageOverTheReceiversLimitIsRefused(t *testing.T) {
	leakcheck.Start(t)
	a, b, err := ipc.ChannelPair(&ipc.ChannelConfig{MaxMessage: 1000})
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	err = a.Send(make([]byte, 1001))
	require.ErrorIs(t, err, syscall.EMSGSIZE)
	require.ErrorContains(t, err, "1001 bytes, at most 1000")
	require.NoError(t, a.Send(make([]byte, 1000)))
	n, err := b.Receive(make([]byte, 10))
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, 10, n)
}

// channelPeerChild dials NAME, and sends a message.
func channelPeerChild(args []string, orders *bufio.Scanner) error {
	c, err := ipc.DialChannel(context.Background(), ipc.Path(args[0]))
	if err == nil {
		err = c.Send([]byte("hello"))
	}
	orders.Scan()
	return err
}

func TestClosedChannelLeavesItsMemoryAlone(t *testing.T) {
	leakcheck.Start(t)
	withPerturbation := func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "MALLOC_PERTURB_=165") } // glibc fills what is free
	startWith(t, withPerturbation, "closed channel").end()
}

// closedChannelChild uses channels after Close.
func closedChannelChild([]string, *bufio.Scanner) error {
	a, b, err := ipc.ChannelPair(nil)
	if err != nil {
		return err
	}
	err = errors.Join(a.Close(), b.Close())
	_, receiveErr := a.Receive(make([]byte, 10))
	for _, failed := range []error{receiveErr, a.Send([]byte("x")), a.Commit(1), a.CloseWrite(), a.CloseRead()} {
		if !errors.Is(failed, net.ErrClosed) {
			err = errors.Join(err, fmt.Errorf("after Close: %v", failed))
		}
	}
	return err
}

func TestReserveNamesItsLimit(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, _ *ipc.Channel) {
		_, err := a.Reserve(1 << 20)
		require.ErrorIs(t, err, syscall.EMSGSIZE)
		require.Regexp(t, "1048576 bytes, at most [0-9]{4,6}:", err.Error())
	})
}

func TestMessageThatIsGivenUpGivesWayToALargerOne(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		if shared, err := a.Shared(); err != nil || !shared { // otherwise it may still arrive
			return
		}
		received := make(chan []byte)
		go func() {
			message, err := b.ReceiveAppend(nil)
			assert.NoError(t, err)
			received <- message
		}()
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
		given := 0
		for err := error(nil); err == nil && given < 100; given++ {
			err = a.Send(make([]byte, 1<<20))
			if err == nil {
				<-received
				go func() {
					message, err := b.ReceiveAppend(nil)
					assert.NoError(t, err)
					received <- message
				}()
			}
		}
		require.NoError(t, a.SetWriteDeadline(time.Time{}))
		require.NoError(t, a.Send(make([]byte, 2<<20)))
		require.Len(t, <-received, 2<<20)
	})
}
