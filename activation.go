package ipc

import (
	"context"
	"maps"
	"os"

	"github.com/lipc/ipc/internal/core"
)

// An Activation holds what a service manager passed to this process. The keys are the names in the service's
// description (FileDescriptorName= in systemd.socket(5)); without names all are "unknown". Values with the same name
// are in the order in which they were passed. The caller closes them.
type Activation struct {
	Listeners        map[string][]*Listener
	MessageListeners map[string][]*MessageListener
	Datagrams        map[string][]*DatagramConn
	Files            map[string][]*os.File // anything else: connections (Accept=yes), pipes, TCP listeners …
}

// Activated returns what a service manager passed, as sd_listen_fds(3) describes it: LISTEN_FDS descriptors, beginning
// with 3, with the names in LISTEN_FDNAMES, if LISTEN_PID is this process. Without a service manager the maps are
// empty. They are also empty on Windows, and under launchd of macOS, which sets no such variables: there a program
// passes the descriptors that it gets from launch_activate_socket(3) to [ListenConfig.FileListener].
//
// Activated returns duplicates, which are close-on-exec and have other numbers. It closes the descriptors themselves
// and clears the variables, so child processes get neither, and a second call finds nothing. Closing a listener does
// not remove its socket file, which belongs to the service manager.
//
// Only the options Client, Refused, Spin and MaxMessage have an effect, and for names in Linux's abstract namespace
// also Mode and Group:
//
//   - A client may connect to a socket file as the service's description says: SocketMode=, SocketUser=, SocketGroup=.
//     To a name in Linux's abstract namespace everybody can connect, and Mode and Group decide who is admitted,
//     whatever SocketMode= is.
//   - Client then decides about each connection of Listeners and MessageListeners when it is accepted, also about those
//     that waited before this process started. Refused is called for each that is not admitted.
//   - Neither is called for Datagrams, which have no connections, nor for Files. A connection that the service manager
//     accepted itself (Accept=yes) is in Files: pass its [Conn.PeerCredentials] to the policy after [FileConn].
//   - To the policy of a client, [Dialer].Server, the server is the service manager, since that listened.
//
// Errors:
//
//   - [syscall.EINVAL]: a variable is malformed, or an option is invalid.
//   - [syscall.EBADF]: a descriptor is not open.
//   - [syscall.EMFILE]: there is no room for the duplicates.
//   - Those of the system's poller.
//
// After an error everything is as it was: the descriptors are open under their numbers and inherited by child
// processes, and the variables are set.
func (lc *ListenConfig) Activated() (*Activation, error) { return lc.activated(0) }

// activated is Activated, which fails if there is anything but one handle of the only kind, or nothing. 0 is any kind.
func (lc *ListenConfig) activated(only core.Kind) (*Activation, error) {
	a := &Activation{map[string][]*Listener{}, map[string][]*MessageListener{}, map[string][]*DatagramConn{},
		map[string][]*os.File{}}
	err := lc.check()
	if err == nil {
		err = a.take(lc, only)
	}
	if err != nil {
		return nil, opError("activate", Name{}, Name{}, err)
	}
	for _, variable := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(variable)
	}
	return a, nil
}

// Activated returns what a service manager passed, with the default options, see [ListenConfig.Activated].
func Activated() (*Activation, error) { return new(ListenConfig).Activated() }

// ListenActivated returns the listener that a service manager passed to this process. If there is no service manager,
// or it passed nothing, ListenActivated listens on name, as [ListenConfig.Listen] does. So the same program runs as a
// service and by hand. A program that has more than one listener uses Activated.
//
// If a listener was passed, name has no effect, and the options have the effect that Activated describes. The service's
// description says where the listener listens and who may connect to it. [Listener.Addr] returns its name. Clients that
// dial name find it if it listens at the path that [Name.Location] returns. For UserName("app") in a unit of
// systemd --user that is ListenStream=%t/lipc/app, with DirectoryMode=0700, because Dial refuses a directory that other
// users can enter.
//
// If anything else was passed, such as two listeners or one for messages, the error is [syscall.EINVAL], and everything
// stays as it was. Other errors are those of Activated and Listen.
func (lc *ListenConfig) ListenActivated(ctx context.Context, name Name) (*Listener, error) {
	a, err := lc.activated(core.KindStream | core.KindListener)
	if err != nil {
		return nil, err
	}
	for passed := range maps.Values(a.Listeners) {
		return passed[0], nil
	}
	return lc.Listen(ctx, name)
}

// ListenMessageActivated is ListenActivated for a listener for messages.
func (lc *ListenConfig) ListenMessageActivated(ctx context.Context, name Name) (*MessageListener, error) {
	a, err := lc.activated(core.KindMessage | core.KindListener)
	if err != nil {
		return nil, err
	}
	for passed := range maps.Values(a.MessageListeners) {
		return passed[0], nil
	}
	return lc.ListenMessage(ctx, name)
}

// ListenActivated is [ListenConfig.ListenActivated] with the default options.
func ListenActivated(name Name) (*Listener, error) {
	return new(ListenConfig).ListenActivated(context.Background(), name)
}
