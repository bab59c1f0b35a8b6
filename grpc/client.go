package ipcgrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lipc/ipc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"
)

// scheme is what targets, and the addresses that they resolve to, begin with.
const scheme = "ipc"

// DialOptions returns the options with which [grpc.NewClient] takes the target ipc:NAME. For any other target it
// returns none. So a program appends the result to its options for targets on other machines: gRPC uses the last of two
// options of a kind. The dialer has the options of the connection, such as its Server policy and Spin, and must not be
// changed afterwards. Nil means the defaults: the server of a user's own name must be that user, and the server of a
// name of the machine must be root or an administrator.
//
// The options are a resolver for the scheme ipc, a context dialer, the credentials of [NewCredentials], and a pause
// between attempts to connect. The pause grows from 10 milliseconds to a second, so that a local server that starts
// again is found soon. The authority of calls is "localhost". [grpc.Peer] reports the [AuthInfo] of the server.
//
// Status codes of calls:
//
//   - PermissionDenied: the Server policy does not admit the server, or this user may not connect. The call fails at
//     once, even with [grpc.WaitForReady]. The client goes on trying to connect, so a later call succeeds once the
//     right server is there.
//   - Unavailable: nobody listens, the target is not valid, or the server closed the connection. A server whose Client
//     policy does not admit this client closes the connection; the message names that as a possible cause. A call with
//     WaitForReady goes on waiting. If its deadline ends it, its message has the last error of connecting.
func DialOptions(target string, dialer *ipc.Dialer) []grpc.DialOption {
	if !isLocal(target) {
		return nil
	}
	if dialer == nil {
		dialer = new(ipc.Dialer)
	}
	return []grpc.DialOption{
		grpc.WithResolvers(builder{}),
		grpc.WithTransportCredentials(NewCredentials(nil)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dial(ctx, dialer, address)
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 10 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second,
			},
			MinConnectTimeout: 20 * time.Second, // gRPC's own
		}),
	}
}

// Target returns the target of a name: the text that DialOptions and [Serve] take, escaped as a URL.
func Target(name ipc.Name) string {
	target := url.URL{Path: name.String()}
	if !strings.HasPrefix(target.Path, "/") {
		target = url.URL{Opaque: target.EscapedPath()}
	}
	target.Scheme = scheme
	return target.String()
}

func isLocal(target string) bool { return strings.HasPrefix(target, scheme+":") }

// nameOf returns the name in a target.
func nameOf(target *url.URL) (ipc.Name, error) {
	text, err := target.Path, error(nil)
	if target.Opaque != "" {
		text, err = url.PathUnescape(target.Opaque)
	}
	if err != nil {
		return ipc.Name{}, fmt.Errorf("the target %q is not valid: %w", target, err)
	}
	if target.Host != "" || target.User != nil || target.RawQuery != "" || target.ForceQuery || target.Fragment != "" {
		return ipc.Name{}, fmt.Errorf("the target %q has more than a name: it must be ipc:NAME, where %q and %q are %q "+
			"and %q", target, "?", "#", "%3F", "%23")
	}
	return ipc.ParseName(text)
}

// A builder resolves a target to the one address that it is, for gRPC.
type builder struct{}

func (builder) Scheme() string { return scheme }

// OverrideAuthority returns what gRPC takes for Unix domain sockets: a name is not a valid authority.
func (builder) OverrideAuthority(resolver.Target) string { return "localhost" }

func (builder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (
	resolver.Resolver, error) {
	name, err := nameOf(&target.URL)
	if err != nil {
		return nil, err
	}
	// The error only says that the balancer did not take the address. gRPC itself reports that in calls.
	_ = cc.UpdateState(resolver.State{Addresses: []resolver.Address{{Addr: scheme + ":" + name.String()}}})
	return resolved{}, nil
}

// resolved is a resolver that has nothing more to do.
type resolved struct{}

func (resolved) ResolveNow(resolver.ResolveNowOptions) {}
func (resolved) Close()                                {}

// dial connects to an address of the resolver.
func dial(ctx context.Context, d *ipc.Dialer, address string) (net.Conn, error) {
	text, found := strings.CutPrefix(address, scheme+":")
	if !found {
		return nil, fmt.Errorf("%q is not the address of an %s: target, for which these options are", address, scheme)
	}
	name, err := ipc.ParseName(text)
	if err != nil {
		return nil, err
	}
	c, err := d.Dial(ctx, name)
	switch {
	case err == nil:
		return &conn{Conn: c}, nil
	case gone(err): // also matches fs.ErrPermission if the dialer has a policy
		return nil, explain(err)
	case errors.Is(err, fs.ErrPermission):
		return nil, deniedError{err}
	default:
		return nil, err
	}
}

// A deniedError is an error with a status, with which gRPC ends calls.
type deniedError struct{ error }

func (e deniedError) Unwrap() error { return e.error }

func (e deniedError) GRPCStatus() *status.Status {
	return status.New(codes.PermissionDenied, e.Error())
}

// gone reports whether an error says that the server has closed the connection. macOS and the BSDs then do not report
// who it was, nor does Windows.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN)
}

func explain(err error) error {
	return fmt.Errorf("the server closed the connection before it sent anything: it does not admit this client "+
		"(ListenConfig.Client), or it ended: %w", err)
}

// A conn says why the server may have closed it before it sent anything.
type conn struct {
	*ipc.Conn
	received atomic.Bool
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.received.Store(true)
	}
	return n, c.explain(err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.explain(err)
}

func (c *conn) PeerCredentials() (ipc.Credentials, error) {
	found, err := c.Conn.PeerCredentials()
	return found, c.explain(err)
}

func (c *conn) explain(err error) error {
	if err != nil && !c.received.Load() && gone(err) {
		return explain(err)
	}
	return err
}
