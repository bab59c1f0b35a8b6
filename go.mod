module github.com/lipc/ipc

go 1.24
