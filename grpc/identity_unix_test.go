//go:build unix

package ipcgrpc_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	ipcgrpc "github.com/lipc/ipc/grpc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/local"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
)

func becomeUser(number string) error {
	uid, err := strconv.Atoi(number)
	if err != nil { // none
		return nil
	}
	return syscall.Setuid(uid)
}

// The call waits for ready, and ends at once all the same.
func TestCallOfAUserThatMayNotConnectIsPermissionDenied(t *testing.T) {
	leakcheck.Start(t)
	if os.Getuid() != 0 {
		facility.Missing(t, "root, to become another user: setuid(2)")
	}
	dir := leakcheck.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o755))
	target := ipcgrpc.Target(ipc.Path(filepath.Join(dir, "s")))
	s := serve(t, newServer(&service{}), target, nil)
	_, err := dialTarget(t, target, ipcgrpc.DialOptions(target, nil)...).UnaryCall(timeLimit(t),
		new(testgrpc.SimpleRequest), waiting)
	require.NoError(t, err)
	client := exec.Command(os.Args[0])
	client.Env = append(os.Environ(), targetVariable+"="+target, userVariable+"=12345")
	printed, err := client.Output()
	assert.Error(t, err)
	assert.Regexp(t, "^PermissionDenied: .*: permission denied", string(printed))
	s.stop(t)
}

func TestEitherEndCanBeGRPCWithoutThisPackage(t *testing.T) {
	leakcheck.Start(t)
	path := filepath.Join(leakcheck.Dir(t), "s")
	call := func(client testgrpc.TestServiceClient) (caller string, server peer.Peer) {
		answer, err := client.UnaryCall(timeLimit(t), new(testgrpc.SimpleRequest), waiting, grpc.Peer(&server))
		require.NoError(t, err)
		return answer.Username, server
	}

	s := serve(t, newServer(&service{}), "ipc:"+path, nil)
	caller, _ := call(dialTarget(t, "unix:"+path, grpc.WithTransportCredentials(local.NewCredentials())))
	assert.Equal(t, strconv.Itoa(os.Getpid()), caller)
	s.stop(t)

	other := grpc.NewServer(grpc.Creds(local.NewCredentials()))
	testgrpc.RegisterTestServiceServer(other, &service{})
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- other.Serve(l) }()
	caller, server := call(dial(t, ipc.Path(path), &ipc.Dialer{Server: ipc.SameUser}))
	assert.Equal(t, "unknown", caller)
	assert.Equal(t, os.Getpid(), server.AuthInfo.(ipcgrpc.AuthInfo).Peer.PID)
	other.GracefulStop()
	assert.NoError(t, <-done)
}
