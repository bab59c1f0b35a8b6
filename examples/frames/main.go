// Frames is a producer of pictures and its consumer, neither of which copies them: the producer draws into memory that
// both share, and the consumer looks at the pictures there.
//
//	frames serve NAME          send frames of 1 MiB to each client, until interrupted
//	frames watch NAME COUNT    receive so many, check them, and print how many came in a second
//
// A frame begins with its number and the checksum of its pixels. NAME is "user:camera", say, which only you can reach.
// Without shared memory, which only Linux has yet, there is no room for a frame: then both commands fail.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

const (
	frameSize  = 1 << 20
	headerSize = 16
)

// config makes room for a frame. What is reserved is at most half of the ring, less a little.
var config = &ipc.ChannelConfig{RingSize: 4 * frameSize, Memory: ipc.RequireMemory}

var table = crc32.MakeTable(crc32.Castagnoli)

func main() {
	log.SetFlags(0)
	log.SetPrefix("frames: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: frames serve NAME | frames watch NAME COUNT")
	}
	name, err := ipc.ParseName(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	switch {
	case os.Args[1] == "serve":
		err = serve(name)
	case os.Args[1] == "watch" && len(os.Args) == 4:
		var count uint64
		if count, err = strconv.ParseUint(os.Args[3], 10, 32); err == nil {
			err = watch(name, count)
		}
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := (&ipc.ListenConfig{Channel: config}).ListenChannel(ctx, name)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening on", name)
	for c, err := range l.Incoming(ctx) {
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := produce(c); !errors.Is(err, syscall.EPIPE) { // the client has seen enough
				log.Print(err)
			}
		}()
	}
	return nil
}

func produce(c *ipc.Channel) error {
	for number := uint64(0); ; number++ {
		frame, err := c.Reserve(frameSize) // waits while the client lags behind
		if err != nil {
			return err
		}
		pixels := frame[headerSize:]
		for i := 0; i < len(pixels); i += 8 {
			binary.LittleEndian.PutUint64(pixels[i:], number+uint64(i))
		}
		binary.LittleEndian.PutUint64(frame, number)
		binary.LittleEndian.PutUint64(frame[8:], uint64(crc32.Checksum(pixels, table)))
		if err := c.Commit(frameSize); err != nil {
			return err
		}
	}
}

func watch(name ipc.Name, count uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := (&ipc.Dialer{Channel: config}).DialChannel(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	for number := range count {
		if err := consume(c, number); err != nil {
			return fmt.Errorf("frame %d: %w", number, err)
		}
	}
	fmt.Printf("%d frames, all as they were drawn, %.0f a second\n", count, float64(count)/time.Since(began).Seconds())
	return nil
}

// consume checks a frame. The producer could change it at any time. So the header is copied, which is compared; the
// pixels are read once, where they are. A consumer that relies on pixels that it has checked has to copy them, too.
func consume(c *ipc.Channel, number uint64) error {
	frame, err := c.Next()
	if err != nil {
		return err
	}
	defer c.Release() // the memory is the producer's again
	if len(frame) != frameSize {
		return fmt.Errorf("it has %d bytes", len(frame))
	}
	header := [headerSize]byte(frame) // a copy
	if got := binary.LittleEndian.Uint64(header[:]); got != number {
		return fmt.Errorf("it has the number %d", got)
	}
	if uint64(crc32.Checksum(frame[headerSize:], table)) != binary.LittleEndian.Uint64(header[8:]) {
		return errors.New("its checksum is wrong")
	}
	return nil
}
