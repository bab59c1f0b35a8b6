package ipcgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lipc/ipc"
	ipcgrpc "github.com/lipc/ipc/grpc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// targetVariable makes this program a client that calls once and prints the answer. userVariable is the number of the
// user that it becomes before.
const (
	targetVariable = "LIPC_GRPC_TEST_TARGET"
	userVariable   = "LIPC_GRPC_TEST_USER"
)

func TestMain(m *testing.M) {
	target := os.Getenv(targetVariable)
	if target == "" {
		os.Exit(m.Run())
	}
	err := becomeUser(os.Getenv(userVariable))
	if err == nil {
		err = callOnce(target)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func callOnce(target string) error {
	conn, err := grpc.NewClient(target, ipcgrpc.DialOptions(target, nil)...)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var server peer.Peer
	client := testgrpc.NewTestServiceClient(conn)
	answer, err := client.UnaryCall(ctx, new(testgrpc.SimpleRequest), waiting, grpc.Peer(&server))
	if err != nil {
		return fmt.Errorf("%v: %w", status.Code(err), err)
	}
	fmt.Println(answer.Username, server.AuthInfo.(ipcgrpc.AuthInfo).Peer.PID)
	return nil
}

func TestTwoProcessesKnowEachOther(t *testing.T) {
	leakcheck.Start(t)
	name := newName()
	s := serve(t, newServer(&service{}), ipcgrpc.Target(name), nil)
	callers := map[string]bool{}
	for range 2 {
		client := exec.Command(os.Args[0])
		client.Env = append(os.Environ(), targetVariable+"="+ipcgrpc.Target(name))
		printed, err := client.Output()
		require.NoError(t, err, "%s", printed)
		caller, server, _ := strings.Cut(strings.TrimSpace(string(printed)), " ")
		assert.Equal(t, strconv.Itoa(client.Process.Pid), caller)
		assert.Equal(t, strconv.Itoa(os.Getpid()), server)
		callers[caller] = true
	}
	assert.Len(t, callers, 2)
	s.stop(t)
}

func TestServerThatTheClientDoesNotAdmitIsPermissionDenied(t *testing.T) {
	leakcheck.Start(t)
	name := newName()
	s := serve(t, newServer(&service{}), ipcgrpc.Target(name), nil)
	var admitted atomic.Bool
	client := dial(t, name, &ipc.Dialer{Server: func(ipc.Credentials) error {
		if admitted.Load() {
			return nil
		}
		return errors.New("not this one")
	}})
	call := func(options ...grpc.CallOption) error {
		_, err := client.UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), options...)
		return err
	}
	require.Eventually(t, func() bool { return status.Code(call()) == codes.PermissionDenied }, limit, time.Millisecond)
	err := call(waiting) // does not wait for another server
	assert.Equal(t, codes.PermissionDenied, status.Code(err))
	assert.ErrorContains(t, err, fmt.Sprintf("the server is process %d", os.Getpid()))
	assert.ErrorContains(t, err, "not this one")

	admitted.Store(true)
	require.Eventually(t, func() bool { return call() == nil }, limit, time.Millisecond)
	s.stop(t)
}

func TestClientThatTheServerDoesNotAdmitLearnsIt(t *testing.T) {
	leakcheck.Start(t)
	name := newName()
	refused := make(chan ipc.Credentials, 1)
	s := serve(t, newServer(&service{}), ipcgrpc.Target(name), &ipcgrpc.ServeConfig{Listen: ipc.ListenConfig{
		Client: func(ipc.Credentials) error { return errors.New("not this one") },
		Refused: func(found ipc.Credentials, _ error) {
			select {
			case refused <- found:
			default:
			}
		},
	}})
	const message = "the server closed the connection before it sent anything: it does not admit this client"
	for _, policy := range []ipc.PeerPolicy{nil, ipc.SameUser} {
		client := dial(t, name, &ipc.Dialer{Server: policy})
		limited := timeLimit(t)
		for {
			_, err := client.UnaryCall(limited, new(testgrpc.SimpleRequest))
			require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
			if strings.Contains(err.Error(), message) { // it is another one before the server is there
				break
			}
		}
		assert.Equal(t, os.Getpid(), (<-refused).PID)

		ctx, cancel := context.WithTimeout(limited, 200*time.Millisecond)
		defer cancel()
		_, err := client.UnaryCall(ctx, new(testgrpc.SimpleRequest), waiting)
		assert.Equal(t, codes.DeadlineExceeded, status.Code(err))
		assert.ErrorContains(t, err, message)
	}
	s.stop(t)
}

func TestCredentialsRefuseOtherConnections(t *testing.T) {
	leakcheck.Start(t)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := ipcgrpc.NewCredentials(nil)
	_, _, err := c.ServerHandshake(a)
	assert.ErrorContains(t, err, "is a *net.pipe, not one of package ipc")
	_, _, err = c.Clone().ClientHandshake(t.Context(), "localhost", b)
	assert.ErrorContains(t, err, "is a *net.pipe, not one of package ipc")
	nobody, known := ipcgrpc.PeerFromContext(t.Context())
	assert.False(t, known)
	assert.Equal(t, ipc.Credentials{PID: -1, UID: -1, GID: -1}, nobody) // not root
}

func TestPeerThatIsNotKnownIsRefused(t *testing.T) {
	leakcheck.Start(t)
	a, b, err := ipc.Pair()
	require.NoError(t, err)
	require.NoError(t, a.Close())
	defer b.Close()
	_, _, err = ipcgrpc.NewCredentials(nil).ServerHandshake(a)
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.ErrorContains(t, err, "the peer is not known")
}

func TestAServerServesLocalAndRemoteClients(t *testing.T) {
	leakcheck.Start(t)
	server := grpc.NewServer(grpc.Creds(ipcgrpc.NewCredentials(insecure.NewCredentials())))
	testgrpc.RegisterTestServiceServer(server, &service{})
	name := newName()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	remote := make(chan error, 1)
	go func() { remote <- server.Serve(l) }()
	s := serve(t, server, ipcgrpc.Target(name), nil)
	for target, caller := range map[string]string{
		ipcgrpc.Target(name): strconv.Itoa(os.Getpid()), l.Addr().String(): "unknown",
	} {
		options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
		client := dialTarget(t, target, append(options, ipcgrpc.DialOptions(target, nil)...)...)
		answer, err := client.UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), waiting)
		require.NoError(t, err)
		assert.Equal(t, caller, answer.Username)
	}
	s.stop(t)
	assert.NoError(t, <-remote)
}

// A token is a credential of calls that is sent over secure connections alone.
type token struct{}

func (token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer x"}, nil
}
func (token) RequireTransportSecurity() bool { return true }

func TestTokensThatNeedASecureConnectionAreSent(t *testing.T) {
	leakcheck.Start(t)
	name := newName()
	s := serve(t, newServer(&service{}), ipcgrpc.Target(name), nil)
	client := dial(t, name, nil, grpc.WithPerRPCCredentials(token{}))
	var server peer.Peer
	_, err := client.UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), waiting, grpc.Peer(&server))
	require.NoError(t, err)
	assert.NoError(t, credentials.CheckSecurityLevel(server.AuthInfo, credentials.PrivacyAndIntegrity))
	assert.Equal(t, "ipc", server.AuthInfo.AuthType())
	s.stop(t)
}
