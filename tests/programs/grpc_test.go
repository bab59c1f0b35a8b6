//go:build unix

package programs

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// A grpcService answers with what it gets.
type grpcService struct {
	grpc_testing.UnimplementedTestServiceServer
	unary func(context.Context) error // called before a unary call is answered, if it is not nil
}

func (s grpcService) UnaryCall(ctx context.Context, r *grpc_testing.SimpleRequest) (
	*grpc_testing.SimpleResponse, error) {
	if s.unary != nil {
		if err := s.unary(ctx); err != nil {
			return nil, err
		}
	}
	return &grpc_testing.SimpleResponse{Payload: r.Payload}, nil
}

func (grpcService) StreamingInputCall(stream grpc_testing.TestService_StreamingInputCallServer) error {
	sum := int32(0)
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&grpc_testing.StreamingInputCallResponse{AggregatedPayloadSize: sum})
		}
		if err != nil {
			return err
		}
		sum += int32(len(r.Payload.Body))
	}
}

func (grpcService) StreamingOutputCall(r *grpc_testing.StreamingOutputCallRequest,
	stream grpc_testing.TestService_StreamingOutputCallServer) error {
	for _, parameter := range r.ResponseParameters {
		answer := grpc_testing.StreamingOutputCallResponse{Payload: payload(int(parameter.Size))}
		if err := stream.Send(&answer); err != nil {
			return err
		}
	}
	return nil
}

func (grpcService) FullDuplexCall(stream grpc_testing.TestService_FullDuplexCallServer) error {
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: r.Payload}); err != nil {
			return err
		}
	}
}

func payload(size int) *grpc_testing.Payload {
	return &grpc_testing.Payload{Body: megabyte[:size]}
}

// serveGRPC serves on a name until the test ends.
func serveGRPC(t *testing.T, name ipc.Name, service grpcService) *grpc.Server {
	t.Helper()
	server := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, service)
	l, served := listen(t, name), make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-served)
	})
	return server
}

// dialGRPC returns a client, which is closed when the test ends.
func dialGRPC(t *testing.T, name ipc.Name) grpc_testing.TestServiceClient {
	t.Helper()
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		return new(ipc.Dialer).DialContext(ctx, "unix", address)
	}
	conn, err := grpc.NewClient("passthrough:///"+name.String(), grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return grpc_testing.NewTestServiceClient(conn)
}

func TestGRPCCallsAndStreams(t *testing.T) {
	leakcheck.Start(t)
	eachName(t, func(t *testing.T, name ipc.Name) {
		serveGRPC(t, name, grpcService{})
		client, ctx := dialGRPC(t, name), t.Context()
		answer, err := client.UnaryCall(ctx, &grpc_testing.SimpleRequest{Payload: payload(1 << 20)})
		require.NoError(t, err)
		require.Equal(t, megabyte, answer.Payload.Body)

		in, err := client.StreamingInputCall(ctx)
		require.NoError(t, err)
		var parameters []*grpc_testing.ResponseParameters
		sizes, sum := []int{1, 0, 1 << 20, 31, 100_000}, 0
		for _, size := range sizes {
			require.NoError(t, in.Send(&grpc_testing.StreamingInputCallRequest{Payload: payload(size)}))
			parameters = append(parameters, &grpc_testing.ResponseParameters{Size: int32(size)})
			sum += size
		}
		total, err := in.CloseAndRecv()
		require.NoError(t, err)
		require.EqualValues(t, sum, total.AggregatedPayloadSize)

		out, err := client.StreamingOutputCall(ctx, &grpc_testing.StreamingOutputCallRequest{ResponseParameters: parameters})
		require.NoError(t, err)
		both, err := client.FullDuplexCall(ctx)
		require.NoError(t, err)
		for _, size := range sizes {
			got, err := out.Recv()
			require.NoError(t, err)
			require.Len(t, got.Payload.Body, size)
			require.NoError(t, both.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload(size)}))
			got, err = both.Recv()
			require.NoError(t, err)
			require.Len(t, got.Payload.Body, size)
		}
		require.NoError(t, both.CloseSend())
		for _, stream := range []grpc.ServerStreamingClient[grpc_testing.StreamingOutputCallResponse]{out, both} {
			_, err = stream.Recv()
			require.Equal(t, io.EOF, err)
		}
	})
}

func TestGRPCAnswersAThousandCallsAtATime(t *testing.T) {
	leakcheck.Start(t)
	const calls = 1000
	for _, clients := range []int{1, 100} {
		name := newPath(t)
		var here atomic.Int32
		all := make(chan struct{})
		serveGRPC(t, name, grpcService{unary: func(ctx context.Context) error {
			if here.Add(1) == calls {
				close(all)
			}
			select {
			case <-all:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var pending sync.WaitGroup
		errs := make(chan error, calls)
		for range clients {
			client := dialGRPC(t, name)
			for range calls / clients {
				pending.Go(func() {
					_, err := client.UnaryCall(ctx, &grpc_testing.SimpleRequest{Payload: payload(1000)})
					errs <- err
				})
			}
		}
		pending.Wait()
		for range calls {
			require.NoError(t, <-errs)
		}
	}
}

func TestGRPCDeadlineEndsACallOnBothSides(t *testing.T) {
	leakcheck.Start(t)
	name, ended := newPath(t), make(chan error, 1)
	serveGRPC(t, name, grpcService{unary: func(ctx context.Context) error {
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := dialGRPC(t, name).UnaryCall(ctx, &grpc_testing.SimpleRequest{}, grpc.WaitForReady(true))
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
	require.Error(t, <-ended)
}

func TestGRPCDeadlineEndsTheWaitForAServer(t *testing.T) {
	leakcheck.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	client := dialGRPC(t, newPath(t))
	_, err := client.UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.ErrorContains(t, err, "no such file or directory")
	_, err = client.UnaryCall(ctx, &grpc_testing.SimpleRequest{}, grpc.WaitForReady(true))
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
}

func TestGRPCStopsGracefully(t *testing.T) {
	leakcheck.Start(t)
	name, here, goOn := newPath(t), make(chan struct{}), make(chan struct{})
	server := serveGRPC(t, name, grpcService{unary: func(context.Context) error {
		close(here)
		<-goOn
		return nil
	}})
	called := make(chan error, 1)
	client := dialGRPC(t, name)
	go func() {
		_, err := client.UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
		called <- err
	}()
	<-here
	stopped := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(stopped)
	}()
	require.Eventually(t, func() bool { // the listener is closed first
		_, err := os.Lstat(name.String())
		return os.IsNotExist(err)
	}, patience, tick)
	select {
	case <-stopped:
		require.Fail(t, "it stopped during a call")
	default:
	}
	close(goOn)
	require.NoError(t, <-called)
	<-stopped
	_, err := dialGRPC(t, name).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
	require.Equal(t, codes.Unavailable, status.Code(err))
}
