package ipcgrpc_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	ipcgrpc "github.com/lipc/ipc/grpc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// begin starts a call that is under way in its handler, whose context it returns.
func begin(t *testing.T, there *service, client testgrpc.TestServiceClient) (context.Context, <-chan error) {
	done := make(chan error, 1)
	ctx := timeLimit(t)
	go func() {
		_, err := client.EmptyCall(ctx, new(testgrpc.Empty), waiting)
		done <- err
	}()
	return <-there.entered, done
}

func TestCallsUnderWayEndBeforeServeDoes(t *testing.T) {
	leakcheck.Start(t)
	there := &service{entered: make(chan context.Context, 1), release: make(chan struct{})}
	name := newName()
	s := serve(t, newServer(there), ipcgrpc.Target(name), nil)
	target := ipcgrpc.Target(name)
	conn, err := grpc.NewClient(target, ipcgrpc.DialOptions(target, nil)...)
	require.NoError(t, err)
	defer conn.Close()
	_, done := begin(t, there, testgrpc.NewTestServiceClient(conn))
	s.end()
	require.True(t, conn.WaitForStateChange(timeLimit(t), connectivity.Ready)) // until the client learns of it
	assert.Empty(t, s.done)
	assert.Empty(t, done)
	close(there.release)
	assert.NoError(t, <-done)
	assert.NoError(t, s.wait(t))
}

func TestCallsUnderWayAreCutOffAfterGrace(t *testing.T) {
	leakcheck.Start(t)
	there := &service{entered: make(chan context.Context, 1)}
	name := newName()
	s := serve(t, newServer(there), ipcgrpc.Target(name), &ipcgrpc.ServeConfig{Grace: 50 * time.Millisecond})
	handler, done := begin(t, there, dial(t, name, nil))
	s.end()
	err := s.wait(t)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "under way 50ms after the end")
	<-handler.Done()
	assert.Equal(t, codes.Unavailable, status.Code(<-done))
}

func TestServeReturnsIfTheServerIsStoppedByOtherMeans(t *testing.T) {
	leakcheck.Start(t)
	server := newServer(&service{})
	name := newName()
	s := serve(t, server, ipcgrpc.Target(name), nil)
	_, err := dial(t, name, nil).UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), waiting)
	require.NoError(t, err)
	server.Stop()
	assert.NoError(t, s.wait(t))
	assert.ErrorIs(t, ipcgrpc.Serve(t.Context(), server, ipcgrpc.Target(name), nil), grpc.ErrServerStopped)
}

func TestServeFailsIfItCannotListen(t *testing.T) {
	leakcheck.Start(t)
	name := newName()
	s := serve(t, newServer(&service{}), ipcgrpc.Target(name), nil)
	_, err := dial(t, name, nil).UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), waiting)
	require.NoError(t, err)
	assert.ErrorIs(t, ipcgrpc.Serve(t.Context(), grpc.NewServer(), ipcgrpc.Target(name), nil), syscall.EADDRINUSE)
	assert.Error(t, ipcgrpc.Serve(t.Context(), grpc.NewServer(), "127.0.0.1:nothing", nil))
	s.stop(t)
}
