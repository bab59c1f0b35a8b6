package ipcgrpc

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/lipc/ipc"
	"google.golang.org/grpc"
)

// ServeConfig holds the options of [Serve]. The zero value is the default.
type ServeConfig struct {
	// Listen holds the options of listening on a local name: its Client policy decides which clients are served, and
	// Mode who may connect. It has no effect on a TCP address.
	Listen ipc.ListenConfig

	// Grace is how long calls under way may take after the context has ended. Zero means 10 seconds. A negative
	// Grace cuts them off at once.
	Grace time.Duration
}

// Serve listens on an address and serves it until the context ends. The address is a target of this package, such as
// "ipc:user:app", or a TCP address, such as "127.0.0.1:5000" or ":5000". The server needs credentials for what it
// serves: NewCredentials(nil) for names, and [NewCredentials] with those of TLS for names and TCP addresses. A nil
// config means the defaults.
//
// When the context ends, the whole server stops, with any other listener that it serves. It accepts no more
// connections, and calls under way go on for at most Grace. If all have ended by then, Serve returns nil. Otherwise
// their connections are closed, the contexts of their handlers end, and the error matches [context.DeadlineExceeded].
// Serve does not wait for a handler that ignores its context, unless the server has the option [grpc.WaitForHandlers].
//
// Serve also returns when the program stops the server: nil, or [grpc.ErrServerStopped] if that was before Serve. Other
// errors are those of [ipc.ListenConfig.Listen], or of listening and accepting in package net. A program that already
// has a listener, such as one from [ipc.ListenActivated], passes it to [grpc.Server.Serve].
func Serve(ctx context.Context, server *grpc.Server, address string, config *ServeConfig) error {
	if config == nil {
		config = new(ServeConfig)
	}
	l, err := listen(ctx, address, &config.Listen)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }() // closes l
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stopped := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(stopped)
	}()
	grace := config.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	select {
	case <-stopped:
		err = nil
	case <-time.After(grace):
		server.Stop()
		err = fmt.Errorf("ipcgrpc: calls were cut off, which were under way %v after the end: %w", grace,
			context.DeadlineExceeded)
	}
	<-served
	return err
}

func listen(ctx context.Context, address string, config *ipc.ListenConfig) (net.Listener, error) {
	if !isLocal(address) {
		return new(net.ListenConfig).Listen(ctx, "tcp", address)
	}
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	name, err := nameOf(target)
	if err != nil {
		return nil, err
	}
	return config.Listen(ctx, name)
}
