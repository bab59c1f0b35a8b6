module github.com/lipc/ipc/bench

go 1.25

require github.com/lipc/ipc v0.0.0

replace github.com/lipc/ipc => ..
