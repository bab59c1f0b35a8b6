package ipc

import "os"

// An Activation holds what a service manager passed to this process, by the names that the service's description gives
// them (FileDescriptorName= in systemd.socket(5)); without names all are "unknown". Several may share a name, in the
// order in which they were passed. The caller closes them.
type Activation struct {
	Listeners        map[string][]*Listener
	MessageListeners map[string][]*MessageListener
	Datagrams        map[string][]*DatagramConn
	Files            map[string][]*os.File // what is none of these: connections, pipes, TCP listeners …
}

// Activated returns what a service manager passed, as sd_listen_fds(3) describes it: LISTEN_FDS descriptors from 3 on,
// named by LISTEN_FDNAMES, if LISTEN_PID is this process. Without a service manager the maps are empty. What it returns
// are duplicates, close-on-exec, which have other numbers. The descriptors themselves are closed and the variables
// cleared, so that child processes get neither, and a second call finds nothing. Closing a listener leaves its socket
// file alone: it is the service manager's.
//
// Of the options Spin and MaxMessage count, and Mode where no file does it: a listener on a name of Linux's abstract
// namespace admits whom ListenConfig says, whatever the service's description has as SocketMode=.
//
// Errors: [syscall.EINVAL] (a variable is malformed), [syscall.EBADF] (a descriptor is not open), [syscall.EMFILE]
// (there is no room for the duplicates), and those of the system's poller. After an error everything is as it was: the
// descriptors are open, under their numbers and inherited by child processes, and the variables are set.
func (lc *ListenConfig) Activated() (*Activation, error) {
	a := &Activation{map[string][]*Listener{}, map[string][]*MessageListener{}, map[string][]*DatagramConn{},
		map[string][]*os.File{}}
	err := lc.check()
	if err == nil {
		err = a.take(lc)
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
