package ipcgrpc_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/lipc/ipc"
	ipcgrpc "github.com/lipc/ipc/grpc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestCallsAndStreamsWorkOverEachKindOfName(t *testing.T) {
	leakcheck.Start(t)
	for kind, name := range kindsOfNames(t) {
		t.Run(kind, func(t *testing.T) {
			leakcheck.Start(t)
			s := serve(t, newServer(&service{}), ipcgrpc.Target(name), nil)
			client := dial(t, name, nil)
			ctx := timeLimit(t)

			body := bytes.Repeat([]byte("x"), 3<<20)
			answer, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: body}}, waiting)
			require.NoError(t, err)
			assert.Equal(t, body, answer.Payload.Body)

			in, err := client.StreamingInputCall(ctx)
			require.NoError(t, err)
			for range 100 {
				require.NoError(t, in.Send(&testgrpc.StreamingInputCallRequest{Payload: payload(1000)}))
			}
			sum, err := in.CloseAndRecv()
			require.NoError(t, err)
			assert.EqualValues(t, 100*1000, sum.AggregatedPayloadSize)

			request := new(testgrpc.StreamingOutputCallRequest)
			for i := range 100 {
				request.ResponseParameters = append(request.ResponseParameters, &testgrpc.ResponseParameters{Size: int32(i)})
			}
			out, err := client.StreamingOutputCall(ctx, request)
			require.NoError(t, err)
			for i := range 100 {
				got, err := out.Recv()
				require.NoError(t, err)
				require.Len(t, got.Payload.Body, i)
			}
			_, err = out.Recv()
			assert.Equal(t, io.EOF, err)

			both, err := client.FullDuplexCall(ctx)
			require.NoError(t, err)
			for i := range 100 {
				require.NoError(t, both.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(i)}))
				got, err := both.Recv()
				require.NoError(t, err)
				require.Len(t, got.Payload.Body, i)
			}
			require.NoError(t, both.CloseSend())
			_, err = both.Recv()
			assert.Equal(t, io.EOF, err)
			s.stop(t)
		})
	}
}

func TestAThousandCallsAreUnderWayAtATime(t *testing.T) {
	leakcheck.Start(t)
	const calls = 1000
	there := &service{entered: make(chan context.Context, calls), release: make(chan struct{})}
	name := newName()
	s := serve(t, newServer(there), ipcgrpc.Target(name), nil)
	client := dial(t, name, nil)
	ctx := timeLimit(t)
	var wait sync.WaitGroup
	for range calls {
		wait.Go(func() {
			_, err := client.EmptyCall(ctx, new(testgrpc.Empty), waiting)
			assert.NoError(t, err)
		})
	}
	for range calls {
		select {
		case <-there.entered:
		case <-ctx.Done():
			t.Fatal("not all calls arrive while others are under way")
		}
	}
	close(there.release)
	wait.Wait()
	s.stop(t)
}

func TestDeadlineAndCancelEndACallAtBothEnds(t *testing.T) {
	leakcheck.Start(t)
	there := &service{entered: make(chan context.Context, 1)}
	name := newName()
	s := serve(t, newServer(there), ipcgrpc.Target(name), nil)
	client := dial(t, name, nil)

	ctx, cancel := context.WithTimeout(timeLimit(t), 100*time.Millisecond)
	defer cancel()
	_, err := client.EmptyCall(ctx, new(testgrpc.Empty), waiting)
	assert.Equal(t, codes.DeadlineExceeded, status.Code(err), "%v", err)
	<-(<-there.entered).Done()

	ctx, cancel = context.WithCancel(timeLimit(t))
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := client.EmptyCall(ctx, new(testgrpc.Empty), waiting)
		done <- err
	}()
	handler := <-there.entered
	cancel()
	<-handler.Done()
	err = <-done
	assert.Equal(t, codes.Canceled, status.Code(err), "%v", err)
	s.stop(t)
}

func TestACallWaitsForAServerThatComesLater(t *testing.T) {
	leakcheck.Start(t)
	name := newName()
	client := dial(t, name, nil)
	ctx := timeLimit(t)
	_, err := client.UnaryCall(ctx, new(testgrpc.SimpleRequest))
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	assert.ErrorContains(t, err, "dial ipc "+name.String())

	for range 3 { // it also comes back
		done := make(chan error, 1)
		go func() {
			_, err := client.UnaryCall(ctx, new(testgrpc.SimpleRequest), waiting)
			done <- err
		}()
		s := serve(t, newServer(&service{}), ipcgrpc.Target(name), nil)
		require.NoError(t, <-done)
		s.stop(t)
	}
}

func TestWrongTargetSaysWhatIsWrong(t *testing.T) {
	leakcheck.Start(t)
	for target, message := range map[string]string{
		"ipc:":               "empty name",
		"ipc:user:":          "parse ipc user:: empty name",
		"ipc:user:a/b":       "parse ipc user:a/b: name contains",
		"ipc:/run/app?x":     "has more than a name",
		"ipc:/run/app?":      "has more than a name",
		"ipc:user:app#x":     "has more than a name",
		"ipc://host/run/app": "has more than a name",
		"ipc:user:%zz":       `the target "ipc:user:%zz" is not valid: invalid URL escape`,
		"ipc://user:app":     "ipc://user:app", // not a URL: gRPC takes it for a host
	} {
		client := dialTarget(t, target, ipcgrpc.DialOptions(target, nil)...)
		_, err := client.UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest))
		assert.Equal(t, codes.Unavailable, status.Code(err), "%s: %v", target, err)
		assert.ErrorContains(t, err, message, target)
		assert.Error(t, ipcgrpc.Serve(t.Context(), grpc.NewServer(), target, nil), target)
	}
}

func TestEveryNameHasATarget(t *testing.T) {
	leakcheck.Start(t)
	for text, target := range map[string]string{
		"user:app":        "ipc:user:app",
		"system:app":      "ipc:system:app",
		"@app":            "ipc:@app",
		"/run/app.sock":   "ipc:///run/app.sock",
		"app.sock":        "ipc:app.sock",
		"./user:app":      "ipc:./user:app",
		"user:50% of #1?": "ipc:user:50%25%20of%20%231%3F",
		`\\.\pipe\app`:    `ipc:%5C%5C.%5Cpipe%5Capp`,
	} {
		name, err := ipc.ParseName(text)
		if err != nil { // a name of another system
			continue
		}
		assert.Equal(t, target, ipcgrpc.Target(name))
	}
	odd := ipc.UserName("50% of #1? ä")
	for _, name := range []ipc.Name{odd, newName()} {
		s := serve(t, newServer(&service{}), ipcgrpc.Target(name), nil)
		_, err := dial(t, name, nil).UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), waiting)
		assert.NoError(t, err)
		s.stop(t)
	}
}

func TestOtherTargetsGetNoOptions(t *testing.T) {
	leakcheck.Start(t)
	for _, target := range []string{"", "dns:///host:1", "host:1", "xds:///service", "unix:/run/app"} {
		assert.Empty(t, ipcgrpc.DialOptions(target, nil), target)
	}
}

func TestAuthorityIsLocalhostOrWhatACallSets(t *testing.T) {
	leakcheck.Start(t)
	var authority []string
	server := grpc.NewServer(grpc.Creds(ipcgrpc.NewCredentials(nil)), grpc.UnaryInterceptor(func(ctx context.Context,
		request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		authority = metadata.ValueFromIncomingContext(ctx, ":authority")
		return handle(ctx, request)
	}))
	testgrpc.RegisterTestServiceServer(server, &service{})
	name := newName()
	s := serve(t, server, ipcgrpc.Target(name), nil)
	client := dial(t, name, nil)
	_, err := client.UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), waiting)
	require.NoError(t, err)
	assert.Equal(t, []string{"localhost"}, authority)
	_, err = client.UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), grpc.CallAuthority("app.example"))
	require.NoError(t, err)
	assert.Equal(t, []string{"app.example"}, authority)
	s.stop(t)
}
