//go:build unix

package ipc_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"syscall"

	"github.com/lipc/ipc"
)

// exampleFile returns an open file, and its path.
func exampleFile(content string) (f *os.File, remove func()) {
	f, err := os.CreateTemp("", "lipc")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(f, content)
	f.Seek(0, io.SeekStart)
	return f, func() {
		f.Close()
		os.Remove(f.Name())
	}
}

// A privileged process opens a file, another one reads it.
func ExampleConn_SendFiles() {
	_, client, server, end := connected()
	defer end()
	f, remove := exampleFile("for your eyes only")
	defer remove()
	if _, err := server.SendFiles([]byte("here it is"), f); err != nil {
		log.Fatal(err)
	}

	b, files := make([]byte, 100), make([]*os.File, 1)
	n, count, err := client.ReceiveFiles(b, files)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %d file\n", b[:n], count)
	defer files[0].Close()
	content, err := io.ReadAll(files[0])
	fmt.Println(string(content), err)
	// Output:
	// here it is, 1 file
	// for your eyes only <nil>
}

func ExampleConn_ReceiveFiles() {
	_, client, server, end := connected()
	defer end()
	f, remove := exampleFile("")
	defer remove()
	client.SendFiles([]byte("two of them"), f, f)
	b := make([]byte, 100)
	n, count, err := server.ReceiveFiles(b, make([]*os.File, 1)) // room for one
	fmt.Printf("%s, %d files, %v\n", b[:n], count, errors.Is(err, ipc.ErrFilesLost))
	// Output: two of them, 0 files, true
}

// A message arrives with its sender's credentials and a file.
func ExampleConn_ReceiveMessage() {
	_, client, server, end := connected()
	defer end()
	err := server.SetPassCredentials(true)
	told := !errors.Is(err, errors.ErrUnsupported) // Linux, FreeBSD and NetBSD
	f, remove := exampleFile("content")
	defer remove()
	client.SendFiles([]byte("please check this"), f)

	m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, MaxFiles: 1, Credentials: new(ipc.Credentials)}
	n, err := server.ReceiveMessage(&m)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Files[0].Close()
	fmt.Printf("%s, %d file\n", m.Buffers[0][:n], len(m.Files))
	fmt.Println(m.Credentials.UID == os.Geteuid() || !told)
	// Output:
	// please check this, 1 file
	// true
}

func ExampleConn_SendMessage() {
	_, client, server, end := connected()
	defer end()
	m := ipc.Message{Buffers: [][]byte{[]byte("head "), []byte("body")}, Files: []*os.File{os.Stdin}}
	fmt.Println(client.SendMessage(&m))
	b := make([]byte, 100)
	n, err := server.Read(b) // Read closes files that arrive
	fmt.Println(string(b[:n]), err)
	// Output:
	// 9 <nil>
	// head body <nil>
}

func ExampleConn_SetPassCredentials() {
	_, client, server, end := connected()
	defer end()
	if err := server.SetPassCredentials(true); errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("vouched for") // this system does not supply them
		return
	}
	client.Write([]byte("it is me"))
	m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, Credentials: new(ipc.Credentials)}
	if _, err := server.ReceiveMessage(&m); err != nil {
		log.Fatal(err)
	}
	if m.Credentials.UID == os.Geteuid() {
		fmt.Println("vouched for")
	}
	// Output: vouched for
}

func ExampleListener_SetPassCredentials() {
	l, _, _, end := connected()
	defer end()
	err := l.SetPassCredentials(true) // before a client can send anything
	fmt.Println(err == nil || errors.Is(err, errors.ErrUnsupported))
	// Output: true
}

// A process ID can be reused, a pidfd cannot.
func ExampleConn_PeerPIDFD() {
	_, client, _, end := connected()
	defer end()
	pidfd, err := client.PeerPIDFD()
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("a pidfd") // only Linux 6.5 and later have them
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer pidfd.Close()
	fmt.Println("a pidfd")
	// Output: a pidfd
}

func ExampleConn_SetPassPIDFD() {
	_, client, server, end := connected()
	defer end()
	err := server.SetPassPIDFD(true)
	told := !errors.Is(err, errors.ErrUnsupported)
	client.Write([]byte("x"))
	m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}}
	if _, err := server.ReceiveMessage(&m); err != nil {
		log.Fatal(err)
	}
	fmt.Println((m.PIDFD != nil) == told)
	if m.PIDFD != nil {
		m.PIDFD.Close()
	}
	// Output: true
}

// One Message serves for all receives.
func ExampleMessage() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	go func() {
		defer a.Close()
		for _, path := range []string{os.DevNull, os.TempDir()} {
			f, err := os.Open(path)
			if err != nil {
				log.Fatal(err)
			}
			a.SendFiles([]byte("x"), f)
			f.Close() // it has been sent
		}
	}()
	m := ipc.Message{Buffers: [][]byte{make([]byte, 1)}, MaxFiles: 10}
	for {
		_, err := b.ReceiveMessage(&m)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range m.Files {
			info, _ := f.Stat()
			fmt.Println(info.IsDir())
			f.Close()
		}
	}
	// Output:
	// false
	// true
}

func ExampleControlWriter() {
	_, client, server, end := connected()
	defer end()
	w := ipc.NewControlWriter(make([]byte, 100))
	if err := w.AddFDs(0, 1, 2); err != nil {
		log.Fatal(err)
	}
	n, err := client.SendControl([]byte("standard input and output"), w)
	fmt.Println(n, err)
	b, files := make([]byte, 100), make([]*os.File, 3)
	_, count, err := server.ReceiveFiles(b, files)
	fmt.Println(count, err)
	for _, f := range files {
		f.Close()
	}
	// Output:
	// 25 <nil>
	// 3 <nil>
}

func ExampleControlReader() {
	_, client, server, end := connected()
	defer end()
	client.SendFiles([]byte("three"), os.Stdin, os.Stdin, os.Stdin)
	r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
	defer r.Close() // which closes what was not taken
	if _, err := server.ReceiveControl(make([]byte, 100), r); err != nil {
		log.Fatal(err)
	}
	fds := make([]int, 2)
	for r.Next() {
		for _, fd := range fds[:r.TakeFDs(fds)] {
			fmt.Println("took one")
			syscall.Close(fd)
		}
	}
	fmt.Println(r.Err())
	// Output:
	// took one
	// took one
	// <nil>
}
