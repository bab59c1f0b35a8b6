// Service is a daemon for a service manager, and also runs by hand. It answers HTTP requests, and says who asks. It is
// a module of its own for what it depends on.
//
//	service NAME    serve until SIGTERM or an interrupt; NAME is "user:greeter", say
//
// A listener that a service manager passed takes the place of NAME. ../systemd has the files for systemd, and
// docs/services.md describes other service managers.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0) // service managers add the time
	if len(os.Args) != 2 {
		log.Fatal("usage: service NAME")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	name, err := ipc.ParseName(os.Args[1])
	if err == nil {
		err = serve(ctx, name)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve serves until ctx is done, and then finishes the requests that are under way.
func serve(ctx context.Context, name ipc.Name) error {
	l, err := ipc.ListenActivated(name)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(answer),
		ConnContext:       connected,
		ReadHeaderTimeout: 10 * time.Second,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	log.Print("listening on ", l.Addr())
	notify(daemon.SdNotifyReady)
	watchdog, err := daemon.SdWatchdogEnabled(false) // WatchdogSec=
	if err != nil {
		return err
	}
	var alive <-chan time.Time // nothing comes from it without a watchdog
	if watchdog > 0 {
		alive = time.Tick(watchdog / 2)
	}
	for {
		select {
		case err := <-ended:
			return err
		case <-alive:
			notify(daemon.SdNotifyWatchdog) // a service that can notice that it is stuck says so by its silence
		case <-ctx.Done():
			notify(daemon.SdNotifyStopping)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // less than TimeoutStopSec=
			defer cancel()
			return server.Shutdown(ctx) // clients that connect now wait for the next process, if systemd listens
		}
	}
}

// notify does nothing without a service manager.
func notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Print(err)
	}
}

func connected(ctx context.Context, c net.Conn) context.Context {
	ctx = ipc.ConnContext(ctx, c)
	if peer, err := ipc.PeerFromContext(ctx); err == nil {
		log.Print("connected: ", peer)
	}
	return ctx
}

func answer(w http.ResponseWriter, r *http.Request) {
	peer, _ := ipc.PeerFromContext(r.Context())
	n, err := io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "hello, %v: %d bytes, error: %v\n", peer, n, err)
}
