package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/lipc/ipc/internal/core"
)

// ConnContext returns a context with the credentials of the peer of c, which [PeerFromContext] returns. It is for the
// field ConnContext of [net/http.Server]: the contexts of requests then have the credentials of the client.
//
//	server := http.Server{Handler: handler, ConnContext: ipc.ConnContext}
//
// c is a connection of this package, or one of another package that wraps it and has a method NetConn, as those of
// [crypto/tls] have. For any other connection the context has no peer, even if ctx has the peer of another connection.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	for {
		if end, ok := c.(peered); ok {
			known := &knownPeer{end: end}
			known.credentials, known.err = end.PeerCredentials()
			return context.WithValue(ctx, peerKey{}, known)
		}
		wrapper, ok := c.(interface{ NetConn() net.Conn })
		switch {
		case ok:
			c = wrapper.NetConn()
		case ctx.Value(peerKey{}) != nil:
			return context.WithValue(ctx, peerKey{}, nil)
		default:
			return ctx
		}
	}
}

// PeerFromContext returns the credentials of the peer that [ConnContext] put into ctx or a parent of ctx. They are
// those that [Conn.PeerCredentials] returned when ConnContext was called. On Windows a client may be known only after
// something was read from it. PeerFromContext asks again if the credentials were not known. If there is no peer in ctx,
// the error matches [errors.ErrUnsupported]. Other errors are those of Conn.PeerCredentials. With an error all IDs are
// -1, except that with [syscall.EAGAIN] the process ID may be known.
func PeerFromContext(ctx context.Context) (Credentials, error) {
	known, ok := ctx.Value(peerKey{}).(*knownPeer)
	if !ok {
		return Credentials(core.NoCredentials),
			fmt.Errorf("ipc: the context is not that of a local connection: %w", errors.ErrUnsupported)
	}
	if known.err != nil {
		return known.end.PeerCredentials()
	}
	return known.credentials, nil
}

// peered is a connection that says who its peer is.
type peered interface{ PeerCredentials() (Credentials, error) }

// peerKey is the key of a knownPeer in a context.
type peerKey struct{}

// A knownPeer is who was at the other end when the connection was accepted.
type knownPeer struct {
	end         peered
	credentials Credentials
	err         error // why they were not known then
}
