package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// listOptions are the options of the command list. On Linux there are none.
type listOptions struct{}

func (*listOptions) define(*flag.FlagSet) {}

// entries reads /proc/net/unix, proc_net(5), and finds the process that has each socket open.
func (*listOptions) entries() ([]entry, error) {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	owners, entries := openFiles()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if e, inode, ok := parseSocket(lines.Text()); ok {
			e.pid = owners[inode]
			e.user = ownerOf(e)
			entries = append(entries, e)
		}
	}
	return entries, lines.Err()
}

// The columns of /proc/net/unix, and a flag in them: unix_seq_show() in net/unix/af_unix.c.
const (
	flagsColumn = 3
	typeColumn  = 4
	inodeColumn = 6
	nameColumn  = 7

	acceptsConnections = 0x10000 // __SO_ACCEPTCON, include/linux/net.h
)

// parseSocket reads a line of /proc/net/unix. ok is false for a socket without a name, and for an end of a connection.
func parseSocket(line string) (e entry, inode string, ok bool) {
	columns := strings.SplitN(strings.Join(strings.Fields(line), " "), " ", nameColumn+1)
	if len(columns) <= nameColumn {
		return entry{}, "", false
	}
	flags, err := strconv.ParseUint(columns[flagsColumn], 16, 32)
	if err != nil {
		return entry{}, "", false // the heading
	}
	kinds := map[string]string{"0001": "stream", "0002": "datagram", "0005": "message"}
	e = entry{kind: kinds[columns[typeColumn]], name: nameIn(line, columns[inodeColumn])}
	return e, columns[inodeColumn], e.kind == "datagram" || e.kind != "" && flags&acceptsConnections != 0
}

// nameIn returns the name, which follows the inode and a space. The name may contain more spaces.
func nameIn(line, inode string) string {
	_, name, _ := strings.Cut(line, " "+inode+" ")
	return name
}

// ownerOf returns the user of the process, or else of the socket file.
func ownerOf(e entry) string {
	path := e.name
	if e.pid > 0 {
		path = fmt.Sprintf("/proc/%d", e.pid)
	} else if !filepath.IsAbs(path) {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	id := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// openFiles looks at the open files of all processes that it has permission to see. It returns the process of each
// socket, by the socket's inode, and the FIFOs that have a name.
func openFiles() (sockets map[string]int, fifos []entry) {
	sockets = map[string]int{}
	folders, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		files, _ := os.ReadDir(folder)
		seen := map[string]bool{}
		for _, file := range files {
			path := filepath.Join(folder, file.Name())
			target, err := os.Readlink(path)
			if err != nil {
				continue // closed meanwhile
			}
			if inode, found := strings.CutPrefix(target, "socket:["); found {
				inode = strings.TrimSuffix(inode, "]")
				if first, known := sockets[inode]; !known || pid < first { // most likely the one that created it
					sockets[inode] = pid
				}
				continue
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode()&os.ModeNamedPipe == 0 || !filepath.IsAbs(target) || seen[target] {
				continue // the target of an unnamed pipe is not an absolute path
			}
			seen[target] = true
			e := entry{kind: "fifo", name: target, pid: pid}
			e.user = ownerOf(e)
			fifos = append(fifos, e)
		}
	}
	return sockets, fifos
}
