package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/lipc/ipc"
)

var peerCommand = command{
	name: "peer", arguments: "NAME",
	about: "show who listens on NAME: process, user, executable",
	details: `
Connects to NAME, asks the kernel who listens there, and closes the connection again. The listener sees that connection.
The process is the one that began to listen; once it has ended, another process may have its id. The output leaves out
what the system does not report. NAME may be of any kind except datagrams, which have no peer.

  lipc peer user:talk
  lipc peer /run/docker.sock`,
	define: func(options *flag.FlagSet) run {
		var p peering
		p.defineTimeout(options)
		p.server = anybody
		return p.run
	},
}

// peering is the command peer.
type peering struct{ dialer }

func (p *peering) run(ctx context.Context, arguments, _ []string) error {
	name, err := oneName(arguments)
	if err != nil {
		return err
	}
	c, err := p.dialAny(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	what := "bytes"
	if m, ok := c.(*messages); ok {
		if _, ok := m.carrier.(*ipc.DatagramConn); ok {
			return fmt.Errorf("%s is a datagram socket, which connects to nobody: \"lipc list\" may know more", name)
		}
		what = "messages"
	} else if carriesMessages(c) {
		what = "messages"
	}
	peer, err := c.peer()
	if err != nil {
		return err
	}
	_, err = fmt.Print(describe(what, peer))
	return outputError(err)
}

// dialAny connects to a listener of any kind.
func (p *peering) dialAny(ctx context.Context, name ipc.Name) (connection, error) {
	return p.attempt(ctx, func(ctx context.Context) (connection, error) {
		c, err := p.dialOnce(ctx, kind{}, name)
		// The socket is of another kind. In Linux's abstract namespace each kind has its own names.
		if errors.Is(err, syscall.EPROTOTYPE) || errors.Is(err, syscall.ECONNREFUSED) {
			for _, k := range []kind{{message: true}, {datagram: true}} {
				other, otherErr := p.dialOnce(ctx, k, name)
				if otherErr == nil {
					return other, nil
				}
				if absent(otherErr) { // it is of that kind, and does not listen yet
					err = otherErr
				}
			}
		}
		return c, err
	})
}

// describe returns what is known of a peer, one fact a line.
func describe(what string, peer ipc.Credentials) string {
	var text strings.Builder
	line := func(key, format string, values ...any) {
		fmt.Fprintf(&text, "%-13s"+format+"\n", append([]any{key + ":"}, values...)...)
	}
	line("listens for", "%s", what)
	if peer.PID >= 0 {
		line("process", "%d", peer.PID)
		if path, err := executable(peer.PID); err == nil {
			line("executable", "%s", printable(path))
		} else {
			line("executable", "not known: %v", err)
		}
	}
	if peer.UID >= 0 {
		line("user", "%s", userName(strconv.Itoa(peer.UID)))
	}
	if peer.SID != "" {
		line("user", "%s", userName(peer.SID))
	}
	if peer.GID >= 0 {
		line("group", "%s", groupName(strconv.Itoa(peer.GID)))
	}
	return text.String()
}

// userName returns the name and the id of a user, or only the id if it has no name.
func userName(id string) string {
	u, err := user.LookupId(id)
	if err != nil {
		return id
	}
	return fmt.Sprintf("%s (%s)", u.Username, id)
}

func groupName(id string) string {
	g, err := user.LookupGroupId(id)
	if err != nil {
		return id
	}
	return fmt.Sprintf("%s (%s)", g.Name, id)
}
