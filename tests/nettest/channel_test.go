package nettest

import (
	"net"
	"testing"

	"github.com/lipc/ipc"
	"golang.org/x/net/nettest"
)

func TestStreamOfAChannel(t *testing.T) {
	for name, config := range map[string]*ipc.ChannelConfig{
		"shared": nil, "not shared": {Memory: ipc.NeverMemory}, "small": {RingSize: 4096, Spin: -1},
	} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
				c1, c2, err := ipc.ChannelPair(config)
				if err != nil {
					return nil, nil, nil, err
				}
				return c1.Stream(), c2.Stream(), func() { c1.Close(); c2.Close() }, nil
			})
		})
	}
}
