package core

/*
#include "core.h"

static int ipc_listen(int type, const char *text, size_t length, unsigned mode, const uint32_t *group, int backlog,
                      int kind, const struct lipc_listen_windows *windows, lipc_listener **ret_listener) {
	lipc_name name;
	lipc_listen_options options = {.size = sizeof options, .mode = mode, .backlog = backlog, .kind = kind,
	                               .windows = windows, .group = group};
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_listen(&name, &options, ret_listener);
}

#cgo noescape ipc_listen
#cgo nocallback ipc_listen
#cgo noescape lipc_accept
#cgo nocallback lipc_accept
*/
import "C"

import "io/fs"

// A Listener is one of the C core. The zero Listener is NULL there.
type Listener struct{ c *C.lipc_listener }

// ListenOptions are the options of listening, see lipc_listen_options.
type ListenOptions struct {
	Mode    fs.FileMode
	Group   *uint32 // Unix: of the socket file; nil means the default
	Backlog int
	System  *ListenSystem
}

// Listen listens for connections of this kind.
func Listen(name Name, kind Kind, o ListenOptions) (l Listener, err error) {
	system, free := o.System.options()
	defer free()
	r := creating(func() Result {
		return Result(C.ipc_listen(name.Type.c(), text(name.Text), C.size_t(len(name.Text)), C.uint(o.Mode),
			(*C.uint32_t)(o.Group), C.int(min(o.Backlog, 1<<30)), C.int(kind), system, &l.c))
	})
	return l, o.System.explain(r, r.nameErr(name))
}

// Detach returns the listener's handle, which the listener does not own any more.
func (l Listener) Detach() uintptr { return uintptr(C.lipc_listener_detach(l.c)) }

// Name returns the name that the listener listens on.
func (l Listener) Name() Name {
	var name C.lipc_name
	C.lipc_listener_name(l.c, &name)
	return goName(&name)
}

// SetUnlink sets whether Close removes the socket file.
func (l Listener) SetUnlink(unlink bool) { C.lipc_listener_set_unlink(l.c, cint(unlink)) }

// Accept accepts a connection that waits.
func (l Listener) Accept() (handle uintptr, peer Name, r Result) {
	var h C.lipc_handle
	var name C.lipc_name
	r = creating(func() Result { return Result(C.lipc_accept(l.c, 0, &name, &h)) })
	if r >= 0 {
		peer = goName(&name)
	}
	return uintptr(h), peer, r
}

// Refused returns the credentials of the client that the last Accept closed whose result is NotAdmitted.
func (l Listener) Refused() Credentials {
	var c C.lipc_credentials
	C.lipc_listener_refused(l.c, &c)
	return goCredentials(&c)
}

// Close closes the listener.
func (l Listener) Close() { C.lipc_listener_close(l.c) }
