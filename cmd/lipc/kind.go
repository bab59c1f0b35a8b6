package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

// A kind is the choice made by the options -message, -datagram, -channel and -binary.
type kind struct {
	message, datagram, channel, binary bool
}

func (k *kind) define(options *flag.FlagSet) {
	options.BoolVar(&k.message, "message", false, "messages instead of bytes")
	options.BoolVar(&k.datagram, "datagram", false, "datagrams instead of bytes; not on Windows")
	options.BoolVar(&k.channel, "channel", false,
		"a channel: bytes, or with -message messages, through memory that both ends share if\n"+
			"they can; the other end needs it, too; not on Windows")
}

func (k *kind) defineBinary(options *flag.FlagSet) {
	k.define(options)
	options.BoolVar(&k.binary, "binary", false,
		"with -message or -datagram: each message comes after its length in 4 bytes, the\n"+
			"most significant first (by default each message is a line)")
}

func (k *kind) check(users only) error {
	if k.message && k.datagram {
		return usageError{"-message and -datagram are two kinds: choose one"}
	}
	if k.channel && k.datagram {
		return usageError{"-channel is not for -datagram: a channel carries bytes or messages"}
	}
	if k.datagram && users.given() {
		return usageError{"-only is not for -datagram: there are no connections to refuse"}
	}
	if k.binary && !k.message && !k.datagram {
		return usageError{"-binary is for -message and -datagram: a stream is binary anyway"}
	}
	return nil
}

// A duration is the value of an option. An error shows how to write it.
type duration time.Duration

func (d *duration) String() string { return time.Duration(*d).String() }

func (d *duration) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err == nil && value < 0 {
		err = errors.New("it is negative")
	}
	if err != nil {
		return errors.New("no duration such as 500ms, 10s or 1m")
	}
	*d = duration(value)
	return nil
}

// A dialer connects, and may wait for a listener that does not exist yet.
type dialer struct {
	timeout time.Duration
	only    only
	server  ipc.PeerPolicy // without -only; nil: as the package has it for the type of name
}

func (d *dialer) define(options *flag.FlagSet, servers string) {
	d.defineTimeout(options)
	d.only.define(options, "listener", servers)
}

// usualServers are the listeners that are admitted without -only.
const usualServers = "this user for \"user:\" names, " + admins +
	" for \"system:\" names,\nand anybody for others"

func (d *dialer) defineTimeout(options *flag.FlagSet) {
	options.Var((*duration)(&d.timeout), "timeout",
		"how `long` to wait for a listener, such as 500ms or 1m (by default an absent\n"+
			"listener is an error at once, and a busy one is waited for without limit)")
}

// again is how long to wait before the next attempt if nobody listens on a name.
const again = 10 * time.Millisecond

// dial connects to a name.
func (d *dialer) dial(ctx context.Context, k kind, name ipc.Name) (connection, error) {
	c, err := d.attempt(ctx, func(ctx context.Context) (connection, error) { return d.dialOnce(ctx, k, name) })
	return c, k.explained(err)
}

// explained adds to an error of dialling what it means.
func (k kind) explained(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPROTOTYPE):
		return fmt.Errorf("%w: the options -message and -datagram choose", err)
	case k.channel && errors.Is(err, syscall.EPROTO):
		return fmt.Errorf("%w: it listens without -channel", err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: the peer ended the connection", err)
	case k.channel && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w, or listens without -channel", err)
	case absent(err):
		return fmt.Errorf("%w: nobody listens there for %s", err, k)
	default:
		return err
	}
}

// String returns what a listener of this kind listens for.
func (k kind) String() string {
	switch {
	case k.channel:
		return "channels"
	case k.message:
		return "messages"
	case k.datagram:
		return "datagrams"
	default:
		return "bytes"
	}
}

// dialFrom connects a datagram socket to a name, and binds it to the name own, so that the peer can answer.
func (d *dialer) dialFrom(ctx context.Context, k kind, own, name ipc.Name) (connection, error) {
	bound, err := new(permission).listenDatagram(ctx, k, own)
	if err != nil {
		return nil, err
	}
	c, err := d.attempt(ctx, func(context.Context) (connection, error) {
		return bound, bound.carrier.(*ipc.DatagramConn).Connect(name)
	})
	if err != nil {
		return nil, errors.Join(k.explained(err), bound.Close())
	}
	return c, nil
}

// attempt dials. While nobody listens it tries again, until the time of -timeout has run out.
func (d *dialer) attempt(ctx context.Context, dial func(context.Context) (connection, error)) (connection, error) {
	within := ctx
	if d.timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, d.timeout)
		defer cancel()
	}
	for {
		c, err := dial(within)
		switch {
		case err == nil:
			return c, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fmt.Errorf("%w: the listener is busy", err)
		case !absent(err):
			return nil, err
		}
		if end, limited := within.Deadline(); !limited || time.Until(end) < again {
			return nil, err
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// absent reports whether an error of dialling means that nobody listens.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func (d *dialer) dialOnce(ctx context.Context, k kind, name ipc.Name) (connection, error) {
	config := ipc.Dialer{Server: d.only.policy(d.server)}
	var c any
	var err error
	switch {
	case k.channel:
		c, err = config.DialChannel(ctx, name)
	case k.message:
		c, err = config.DialMessage(ctx, name)
	case k.datagram:
		c, err = ipc.DialDatagram(name)
	default:
		c, err = config.Dial(ctx, name)
	}
	if err != nil {
		return nil, err
	}
	return k.connection(c), nil
}

// A permission is the value of -mode, and of a listener's -group and -only.
type permission struct {
	mode  fs.FileMode
	group string
	only  only
}

func (p *permission) define(options *flag.FlagSet) {
	options.Var(p, "mode", "who may connect, as the `permissions` of a socket file in octal: 0660 lets in the\n"+
		"group, 0666 everybody (default 0600: only this user, and root)")
	options.StringVar(&p.group, "group", "", "the `group` of the socket file, by name or number, which -mode 0660 lets in\n"+
		"(by default that of this process); on Windows a SID, which may connect, too")
	p.only.define(options, "client", "all that -mode lets connect")
}

func (p *permission) String() string { return "" }

func (p *permission) Set(text string) error {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return errors.New("no permissions such as 0660")
	}
	p.mode = fs.FileMode(mode)
	return nil
}

// An acceptor is a listener of any kind.
type acceptor struct {
	accept func(ctx context.Context) (connection, error)
	Close  func() error
}

// listen listens on a name.
func (p *permission) listen(ctx context.Context, k kind, name ipc.Name) (acceptor, error) {
	config := ipc.ListenConfig{Mode: p.mode, Group: p.group, Client: p.only.policy(nil), Refused: refused}
	switch {
	case k.channel:
		l, err := config.ListenChannel(ctx, name)
		if err != nil {
			return acceptor{}, err
		}
		return newAcceptor(k, l.AcceptChannel, l.Close), nil
	case k.message:
		l, err := config.ListenMessage(ctx, name)
		if err != nil {
			return acceptor{}, err
		}
		return newAcceptor(k, l.AcceptConn, l.Close), nil
	default:
		l, err := config.Listen(ctx, name)
		if err != nil {
			return acceptor{}, err
		}
		return newAcceptor(k, l.AcceptConn, l.Close), nil
	}
}

func newAcceptor[C any](k kind, once func(context.Context) (C, error), close func() error) acceptor {
	return acceptor{func(ctx context.Context) (connection, error) {
		c, err := acceptPatiently(ctx, once)
		if err != nil {
			return nil, err
		}
		return k.connection(c), nil
	}, close}
}

// refused reports a client that was refused.
func refused(_ ipc.Credentials, err error) { fmt.Fprintf(os.Stderr, "lipc: refused: %v\n", err) }

// acceptPatiently accepts a connection. While the process has no descriptors left, it tries again every 5 to 1000
// milliseconds.
func acceptPatiently[C any](ctx context.Context, once func(context.Context) (C, error)) (C, error) {
	for pause := again / 2; ; pause = min(2*pause, time.Second) {
		c, err := once(ctx)
		var network *net.OpError
		if err == nil || ctx.Err() != nil || !errors.As(err, &network) || !network.Temporary() {
			return c, interruption(ctx, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// listenDatagram binds a socket to a name.
func (p *permission) listenDatagram(ctx context.Context, k kind, name ipc.Name) (*messages, error) {
	config := ipc.ListenConfig{Mode: p.mode, Group: p.group}
	c, err := config.ListenDatagram(ctx, name)
	if err != nil {
		return nil, err
	}
	return &messages{carrier: c, framing: framing{k.binary}}, nil
}

// interruption returns the cause of the context if it has ended, and otherwise the error.
func interruption(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
