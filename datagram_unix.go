//go:build cgo && unix

package ipc

// Datagram sockets on Unix.

func (e *endpoint) listenDatagram(name Name, lc *ListenConfig) error {
	core, r := coreListen(name, lc, kindDatagram)
	if r < 0 {
		return r.nameErr(name)
	}
	if err := e.open(coreListenerDetach(core)); err != nil {
		coreListenerClose(core)
		return err
	}
	e.bound = new(socketFile)
	e.bound.own(core)
	return nil
}

func (e *endpoint) openDatagram() error {
	handle, r := coreDatagram()
	if r < 0 {
		return r.err()
	}
	return e.open(handle)
}

func (e *endpoint) connectDatagram(peer Name) error {
	var r result
	if err := e.control(func(fd uintptr) result { r = coreDatagramConnect(fd, peer); return 0 }); err != nil {
		return err
	}
	return r.nameErr(peer)
}

func (e *endpoint) setUnlinkOnClose(unlink bool) {
	if e.bound != nil {
		e.bound.setUnlinkOnClose(unlink)
	}
}
