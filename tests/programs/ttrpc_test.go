//go:build linux

package programs

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/containerd/log"
	"github.com/containerd/ttrpc"
	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// echoService has a method and a stream that answer with what they get, and a method that waits for its context to end.
var echoService = ttrpc.ServiceDesc{
	Methods: map[string]ttrpc.Method{
		"Echo": func(_ context.Context, unmarshal func(any) error) (any, error) {
			request := new(wrapperspb.BytesValue)
			return request, unmarshal(request)
		},
		"Wait": func(ctx context.Context, unmarshal func(any) error) (any, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		},
	},
	Streams: map[string]ttrpc.Stream{"Echoes": {StreamingClient: true, StreamingServer: true,
		Handler: func(_ context.Context, stream ttrpc.StreamServer) (any, error) {
			for {
				request := new(wrapperspb.BytesValue)
				if err := stream.RecvMsg(request); err == io.EOF {
					return nil, nil
				} else if err != nil {
					return nil, err
				}
				if err := stream.SendMsg(request); err != nil {
					return nil, err
				}
			}
		},
	}},
}

// serveTTRPC serves on a name until the test ends.
func serveTTRPC(t *testing.T, name ipc.Name, options ...ttrpc.ServerOpt) {
	t.Helper()
	server, err := ttrpc.NewServer(options...)
	require.NoError(t, err)
	server.RegisterService("test.Echo", &echoService)
	l, served := listen(t, name), make(chan error, 1)
	go func() { served <- server.Serve(t.Context(), l) }()
	t.Cleanup(func() {
		require.NoError(t, server.Shutdown(context.Background()))
		require.Equal(t, ttrpc.ErrServerClosed, <-served)
	})
}

// dialTTRPC returns a client, which is closed when the test ends.
func dialTTRPC(t *testing.T, name ipc.Name) *ttrpc.Client {
	t.Helper()
	c, err := ipc.Dial(t.Context(), name)
	require.NoError(t, err)
	client := ttrpc.NewClient(c)
	t.Cleanup(func() { client.Close() })
	return client
}

// echo calls the method Echo.
func echo(ctx context.Context, client *ttrpc.Client, payload []byte) ([]byte, error) {
	var answer wrapperspb.BytesValue
	err := client.Call(ctx, "test.Echo", "Echo", wrapperspb.Bytes(payload), &answer)
	return answer.Value, err
}

func TestTTRPCCallsAndStreams(t *testing.T) {
	leakcheck.Start(t)
	eachName(t, func(t *testing.T, name ipc.Name) {
		serveTTRPC(t, name)
		client := dialTTRPC(t, name)
		var calls sync.WaitGroup
		for range 1000 {
			calls.Go(func() {
				got, err := echo(t.Context(), client, megabyte[:1000])
				if err != nil || len(got) != 1000 {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
		calls.Wait()
		got, err := echo(t.Context(), client, megabyte)
		require.NoError(t, err)
		require.Equal(t, megabyte, got)

		stream, err := client.NewStream(t.Context(), &ttrpc.StreamDesc{StreamingClient: true, StreamingServer: true},
			"test.Echo", "Echoes", nil)
		require.NoError(t, err)
		for size := 1; size <= 1<<20; size *= 32 {
			require.NoError(t, stream.SendMsg(wrapperspb.Bytes(megabyte[:size])))
			var answer wrapperspb.BytesValue
			require.NoError(t, stream.RecvMsg(&answer))
			require.Len(t, answer.Value, size)
		}
		require.NoError(t, stream.CloseSend())
		require.Equal(t, io.EOF, stream.RecvMsg(new(wrapperspb.BytesValue)))

		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err = client.Call(ctx, "test.Echo", "Wait", wrapperspb.Bytes(nil), new(wrapperspb.BytesValue))
		require.ErrorContains(t, err, "context deadline exceeded") // of the client, or as the server says it
	})
}

// admit is a policy as ttrpc takes it.
type admit ipc.PeerPolicy

func (admit admit) Handshake(_ context.Context, c net.Conn) (net.Conn, any, error) {
	credentials, err := c.(*ipc.Conn).PeerCredentials()
	if err == nil {
		err = admit(credentials)
	}
	return c, credentials, err
}

func TestTTRPCHandshakesByTheClientsCredentials(t *testing.T) {
	leakcheck.Start(t)
	log.L.Logger.SetOutput(io.Discard) // ttrpc logs each refusal
	refuse := func(ipc.Credentials) error { return errors.New("nobody") }
	for what, one := range map[string]struct {
		handshaker ttrpc.Handshaker
		admitted   bool
	}{
		"admitted": {admit(ipc.SameUser), true},
		"refused":  {admit(refuse), false},
		"ttrpc's own handshaker, which takes a net.UnixConn alone": {ttrpc.UnixSocketRequireSameUser(), false},
	} {
		t.Run(what, func(t *testing.T) {
			name := newPath(t)
			serveTTRPC(t, name, ttrpc.WithServerHandshaker(one.handshaker))
			got, err := echo(t.Context(), dialTTRPC(t, name), []byte("in"))
			if one.admitted {
				require.NoError(t, err)
				require.Equal(t, "in", string(got))
			} else {
				require.ErrorIs(t, err, ttrpc.ErrClosed)
			}
		})
	}
}
