package contender

import "net"

// A ListenerOf is a [Listener] by two functions of a library.
type ListenerOf[C Conn] struct {
	AcceptConn func() (C, error)
	CloseAll   func() error
}

func (l ListenerOf[C]) Accept() (Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err // not a Conn that holds a nil pointer
	}
	return c, nil
}

func (l ListenerOf[C]) Close() error { return l.CloseAll() }

// Sole returns a [Listener] that accepts c alone: the server's ends of pipes, or a datagram socket. Close closes c.
func Sole(c Conn) Listener {
	conns := make(chan Conn, 1)
	conns <- c
	return &sole{c, conns}
}

type sole struct {
	c     Conn
	conns chan Conn
}

func (l *sole) Accept() (Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *sole) Close() error {
	close(l.conns)
	return l.c.Close()
}
