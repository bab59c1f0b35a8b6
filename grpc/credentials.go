package ipcgrpc

import (
	"context"
	"fmt"
	"net"
	"runtime"

	"github.com/lipc/ipc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// AuthInfo is what [peer.FromContext] has as the AuthInfo of a call over package ipc, at both ends.
//
// The SecurityLevel is PrivacyAndIntegrity, because only the kernel stands between the two processes. So gRPC may send
// credentials of calls that require this level, such as OAuth tokens. On Windows the level is NoSecurity if the peer is
// on another machine. gRPC's own local credentials report NoSecurity for every named pipe; this package knows the ends
// of a pipe.
type AuthInfo struct {
	credentials.CommonAuthInfo
	Peer ipc.Credentials // of the moment that [ipc.Credentials] describes
}

// AuthType returns "ipc".
func (AuthInfo) AuthType() string { return scheme }

// ValidateAuthority admits every authority, because the peer's identity does not depend on it. gRPC asks it if a call
// sets the authority, see [grpc.CallAuthority].
func (AuthInfo) ValidateAuthority(string) error { return nil }

// PeerFromContext returns the credentials of the process that calls; ctx is the context of a handler. It returns false,
// and credentials whose IDs are -1, if the call did not come over package ipc, or if the server does not have the
// credentials of [NewCredentials].
func PeerFromContext(ctx context.Context) (ipc.Credentials, bool) {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(AuthInfo); ok {
			return info.Peer, true
		}
	}
	return ipc.Credentials{PID: -1, UID: -1, GID: -1}, false
}

// NewCredentials returns transport credentials that carry the identity of the peer, [AuthInfo]. They exchange nothing
// with the peer, which may be a program without this package. They decide nothing: the policies of [ipc.Dialer] and
// [ipc.ListenConfig] have decided before.
//
// These credentials are for connections that have the method PeerCredentials: an [ipc.Conn], and a type that embeds
// one. Any other connection gets the credentials remote, for instance those of TLS, so that a server can serve both
// kinds. If remote is nil, any other connection is refused. A connection is also refused if the system does not report
// the peer's identity. On Windows that happens with a client of another program that does not let the server know its
// user, see [ipc.Conn.PeerCredentials].
func NewCredentials(remote credentials.TransportCredentials) credentials.TransportCredentials {
	return &transportCredentials{remote}
}

type transportCredentials struct {
	remote credentials.TransportCredentials
}

func (t *transportCredentials) ClientHandshake(ctx context.Context, authority string, c net.Conn) (
	net.Conn, credentials.AuthInfo, error) {
	if local, ok := c.(identified); ok || t.remote == nil {
		return identify(c, local)
	}
	return t.remote.ClientHandshake(ctx, authority, c)
}

func (t *transportCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if local, ok := c.(identified); ok || t.remote == nil {
		return identify(c, local)
	}
	return t.remote.ServerHandshake(c)
}

type identified interface {
	PeerCredentials() (ipc.Credentials, error)
}

// identify returns the AuthInfo of a local connection; local is nil if c is none.
func identify(c net.Conn, local identified) (net.Conn, credentials.AuthInfo, error) {
	if local == nil {
		return nil, nil, fmt.Errorf("ipcgrpc: the connection to %v is a %T, not one of package ipc, "+
			"and there are no credentials for others", c.RemoteAddr(), c)
	}
	found, err := local.PeerCredentials()
	if err != nil {
		return nil, nil, fmt.Errorf("ipcgrpc: the peer is not known: %w", err)
	}
	level := credentials.PrivacyAndIntegrity
	if runtime.GOOS == "windows" && found.PID < 0 { // on another machine
		level = credentials.NoSecurity
	}
	return c, AuthInfo{credentials.CommonAuthInfo{SecurityLevel: level}, found}, nil
}

// Info describes the credentials remote, if there are any: only a client asks for it, and the names in it are theirs.
func (t *transportCredentials) Info() credentials.ProtocolInfo {
	if t.remote != nil {
		return t.remote.Info()
	}
	return credentials.ProtocolInfo{SecurityProtocol: scheme}
}

func (t *transportCredentials) Clone() credentials.TransportCredentials {
	if t.remote != nil {
		return NewCredentials(t.remote.Clone())
	}
	return NewCredentials(nil)
}

// OverrideServerName is part of the interface; gRPC no longer calls it.
func (t *transportCredentials) OverrideServerName(string) error { return nil }
