package main

import (
	"context"
	"fmt"
	"net"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

func ownUser() (string, error) { return userOf(windows.GetCurrentProcessToken()) }

func userOf(token windows.Token) (string, error) {
	user, err := token.GetTokenUser()
	if err != nil {
		return "", err
	}
	return user.User.Sid.String(), nil
}

func location(name string) (path, user string, err error) {
	user, err = ownUser()
	return `\\.\pipe\daemon-` + user + `\` + name, user, err
}

func listen(name string) (net.Listener, error) {
	path, user, err := location(name)
	if err != nil {
		return nil, err
	}
	return winio.ListenPipe(path, &winio.PipeConfig{
		SecurityDescriptor: fmt.Sprintf("O:%[1]sD:P(A;;GA;;;%[1]s)", user), // the default lets everybody read
	})
}

func dial(ctx context.Context, name string) (net.Conn, error) {
	path, _, err := location(name)
	if err != nil {
		return nil, err
	}
	return winio.DialPipeContext(ctx, path)
}

func handleOf(c net.Conn) windows.Handle {
	return windows.Handle(c.(interface{ Fd() uintptr }).Fd())
}

// clientOf finds the user by the process ID, which may be another process's once the client has ended.
func clientOf(c net.Conn) (peer, error) {
	var pid uint32
	if err := windows.GetNamedPipeClientProcessId(handleOf(c), &pid); err != nil {
		return peer{}, err
	}
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return peer{}, err
	}
	defer windows.CloseHandle(process)
	var token windows.Token
	if err := windows.OpenProcessToken(process, windows.TOKEN_QUERY, &token); err != nil {
		return peer{}, err
	}
	defer token.Close()
	user, err := userOf(token)
	return peer{int(pid), user}, err
}

// serverOf finds the owner of the pipe.
func serverOf(c net.Conn) (peer, error) {
	var pid uint32
	if err := windows.GetNamedPipeServerProcessId(handleOf(c), &pid); err != nil {
		return peer{}, err
	}
	sd, err := windows.GetSecurityInfo(handleOf(c), windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return peer{}, err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return peer{}, err
	}
	return peer{int(pid), owner.String()}, nil
}
