package ipcgrpc_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lipc/ipc"
	ipcgrpc "github.com/lipc/ipc/grpc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// limit ends a test that hangs.
const limit = 30 * time.Second

func timeLimit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

var names atomic.Int64

// newName returns a name that nothing else uses.
func newName() ipc.Name {
	return ipc.Namespaced(fmt.Sprintf("lipc-grpc-%d-%d", os.Getpid(), names.Add(1)))
}

// kindsOfNames returns a new name of each kind that any user can listen on.
func kindsOfNames(t *testing.T) map[string]ipc.Name {
	text := fmt.Sprintf("lipc-grpc-%d-%d", os.Getpid(), names.Add(1))
	dir := leakcheck.Dir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	path := filepath.Join(dir, "s")
	if runtime.GOOS == "windows" {
		path = `\\.\pipe\` + text + "-path"
	}
	return map[string]ipc.Name{"user": ipc.UserName(text), "namespaced": ipc.Namespaced(text), "path": ipc.Path(path)}
}

// A service says in the user name of its answers which process called.
type service struct {
	testgrpc.UnimplementedTestServiceServer
	entered chan context.Context // gets the context of each EmptyCall
	release chan struct{}        // closed when they may return; nil: never
}

func (s *service) EmptyCall(ctx context.Context, empty *testgrpc.Empty) (*testgrpc.Empty, error) {
	s.entered <- ctx
	select {
	case <-s.release:
		return empty, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *service) UnaryCall(ctx context.Context, r *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	caller, known := ipcgrpc.PeerFromContext(ctx)
	if !known {
		return &testgrpc.SimpleResponse{Username: "unknown", Payload: r.Payload}, nil
	}
	return &testgrpc.SimpleResponse{Username: strconv.Itoa(caller.PID), Payload: r.Payload}, nil
}

func (s *service) StreamingInputCall(stream testgrpc.TestService_StreamingInputCallServer) error {
	size := 0
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&testgrpc.StreamingInputCallResponse{AggregatedPayloadSize: int32(size)})
		}
		if err != nil {
			return err
		}
		size += len(in.Payload.Body)
	}
}

func (s *service) StreamingOutputCall(r *testgrpc.StreamingOutputCallRequest,
	stream testgrpc.TestService_StreamingOutputCallServer) error {
	for _, p := range r.ResponseParameters {
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload(int(p.Size))}); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: in.Payload}); err != nil {
			return err
		}
	}
}

func payload(size int) *testgrpc.Payload { return &testgrpc.Payload{Body: make([]byte, size)} }

// newServer returns a server of the service that takes local connections alone.
func newServer(s *service) *grpc.Server {
	server := grpc.NewServer(grpc.Creds(ipcgrpc.NewCredentials(nil)))
	testgrpc.RegisterTestServiceServer(server, s)
	return server
}

// A serving is a Serve that runs.
type serving struct {
	end  context.CancelFunc
	done chan error
}

func serve(t *testing.T, server *grpc.Server, address string, config *ipcgrpc.ServeConfig) *serving {
	ctx, end := context.WithCancel(context.Background())
	s := &serving{end, make(chan error, 1)}
	go func() { s.done <- ipcgrpc.Serve(ctx, server, address, config) }()
	t.Cleanup(func() {
		s.end()
		server.Stop()
	})
	return s
}

func (s *serving) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(limit):
		t.Fatal("Serve does not return")
		return nil
	}
}

// stop ends the context and waits for a clean end.
func (s *serving) stop(t *testing.T) {
	t.Helper()
	s.end()
	require.NoError(t, s.wait(t))
}

func dial(t *testing.T, name ipc.Name, dialer *ipc.Dialer, more ...grpc.DialOption) testgrpc.TestServiceClient {
	t.Helper()
	target := ipcgrpc.Target(name)
	return dialTarget(t, target, append(ipcgrpc.DialOptions(target, dialer), more...)...)
}

func dialTarget(t *testing.T, target string, options ...grpc.DialOption) testgrpc.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(target, options...)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return testgrpc.NewTestServiceClient(conn)
}

// waiting is the option of calls that wait until the server is there.
var waiting = grpc.WaitForReady(true)
