package leakcheck

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"github.com/lipc/ipc"
	"golang.org/x/sys/windows"
)

// noun is the word for what Descriptors returns.
const noun = "handle"

// warmUp makes everything once that the runtime and the package make on first use and keep: the completion port, the
// goroutine that serves it, and the system's pool of threads.
var warmUp = sync.OnceFunc(func() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	time.Sleep(time.Nanosecond) // the runtime's own completion port comes with its first timer
	exchange := func(a, b *ipc.Conn) {
		defer a.Close()
		defer b.Close()
		a.SetDeadline(time.Now().Add(time.Minute))
		b.SetDeadline(time.Now().Add(time.Minute))
		go a.Write([]byte("x"))
		b.Read(make([]byte, 1))
		a.PeerCredentials()
	}
	if a, b, err := ipc.Pair(); err == nil {
		exchange(a, b)
	}
	name := ipc.Namespaced(fmt.Sprintf("lipc-%d-warm-up", os.Getpid()))
	if l, err := ipc.Listen(name); err == nil {
		defer l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		dialled := make(chan *ipc.Conn)
		go func() {
			c, _ := ipc.Dial(ctx, name)
			dialled <- c
		}()
		accepted, err := l.AcceptConn(ctx)
		if c := <-dialled; c != nil && err == nil {
			exchange(c, accepted)
		}
	}
})

// countedOnly says which handles cannot be told from those of others. The runtime has two events, two timers and a wait
// packet for each of its threads, made when the thread first needs them; DLLs open registry keys, ports and events on
// first use. What package ipc makes is judged one by one: pipes and files, processes, tokens, completion ports,
// sections.
func countedOnly(kind string) bool {
	switch kind {
	case "File", "Process", "Token", "IoCompletion", "Section":
		return false
	}
	return true
}

// othersSlack is how many more of those a test may leave: five for each thread that it may leave.
var othersSlack = 5 * threadSlack

var ntQueryObject = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryObject")

// systemHandle is SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX.
type systemHandle struct {
	object, process, handle uintptr
	access                  uint32
	trace, typeIndex        uint16
	attributes, reserved    uint32
}

// objectType is OBJECT_TYPE_INFORMATION, as far as it is wanted, and room for the name.
type objectType struct {
	name windows.NTUnicodeString
	rest [1024]byte
}

// Descriptors returns the process's open handles, and of what type each is. (GetProcessHandleCount, which would tell
// their number alone, is always 0 on Wine 8.)
func Descriptors() map[string]string {
	open := map[string]string{}
	memory := make([]uintptr, 1<<17)
	for {
		size := uint32(len(memory)) * uint32(unsafe.Sizeof(memory[0]))
		err := windows.NtQuerySystemInformation(windows.SystemExtendedHandleInformation, unsafe.Pointer(&memory[0]),
			size, nil)
		if err == nil {
			break
		}
		if err != windows.STATUS_INFO_LENGTH_MISMATCH {
			panic(err)
		}
		memory = make([]uintptr, 2*len(memory))
	}
	process := uintptr(os.Getpid())
	all := unsafe.Slice((*systemHandle)(unsafe.Pointer(&memory[2])), memory[0]) // after their number, and a reserved word
	for _, entry := range all {
		if entry.process != process {
			continue
		}
		var kind objectType
		const objectTypeInformation = 2
		status, _, _ := ntQueryObject.Call(entry.handle, objectTypeInformation, uintptr(unsafe.Pointer(&kind)),
			unsafe.Sizeof(kind), 0)
		if windows.NTStatus(status) == windows.STATUS_INVALID_HANDLE {
			continue // closed meanwhile
		}
		open[fmt.Sprintf("%#x", entry.handle)] = kind.name.String()
	}
	return open
}

// Threads returns the number of threads of the process, or 0 where the system does not report it.
func Threads() (count int) {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return 0
	}
	defer windows.CloseHandle(snapshot)
	thread := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snapshot, &thread); err == nil; err = windows.Thread32Next(snapshot, &thread) {
		if thread.OwnerProcessID == uint32(os.Getpid()) {
			count++
		}
	}
	return count
}
