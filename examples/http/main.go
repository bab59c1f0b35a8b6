// Http is a web server on a local socket, and its client.
//
//	http serve NAME        serve until interrupted
//	http get NAME PATH     print the answer to GET PATH
//
// NAME is "user:http", say, which only you can reach. See ipc.ParseName for other names. The server prints the path by
// which other programs reach it. On Unix:
//
//	curl --unix-socket PATH http://local/
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("http: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: http serve NAME | http get NAME PATH")
	}
	name, err := ipc.ParseName(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	switch {
	case os.Args[1] == "serve" && len(os.Args) == 3:
		err = serve(name)
	case os.Args[1] == "get" && len(os.Args) == 4:
		err = get(name, os.Args[3])
	default:
		log.Fatal("usage: http serve NAME | http get NAME PATH")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name) error {
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	fmt.Println("listening on", name)
	if location, err := name.Location(); err == nil {
		fmt.Println("other programs find it at", location)
	}
	server := &http.Server{Handler: http.HandlerFunc(answer), ConnContext: ipc.ConnContext}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the program at once
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx) // answers requests that are under way, until the context ends
}

func answer(w http.ResponseWriter, r *http.Request) {
	peer, err := ipc.PeerFromContext(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "%s %s, asked by %v\n", r.Method, r.URL.Path, peer)
}

func get(name ipc.Name, path string) error {
	client := &http.Client{Transport: &http.Transport{DialContext: new(ipc.Dialer).To(name)}}
	response, err := client.Get("http://local" + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
