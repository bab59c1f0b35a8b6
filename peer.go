package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/lipc/ipc/internal/core"
)

// ConnContext returns a context from which [PeerFromContext] gets who is at the other end of c. It is for ConnContext
// of [net/http.Server], whose requests then have such a context:
//
//	server := http.Server{Handler: handler, ConnContext: ipc.ConnContext}
//
// c is a connection of this package, also one that [crypto/tls] or another package wraps, if the wrapper has a method
// NetConn. For any other ConnContext returns ctx.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	for {
		if end, ok := c.(peered); ok {
			known := &knownPeer{end: end}
			known.credentials, known.err = end.PeerCredentials()
			return context.WithValue(ctx, peerKey{}, known)
		}
		wrapper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return ctx
		}
		c = wrapper.NetConn()
	}
}

// PeerFromContext returns the credentials of the peer that [ConnContext] put into ctx or a parent of ctx, as
// [Conn.PeerCredentials] returned them then. On Windows, where a client may be known only once something was read from
// it, it asks again if they were not known. If there is no peer in ctx, the error matches [errors.ErrUnsupported]. With
// an error all IDs are -1.
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
