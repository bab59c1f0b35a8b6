module github.com/lipc/ipc/examples/service

go 1.25

replace github.com/lipc/ipc => ../..

require (
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/lipc/ipc v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.40.0 // indirect
)
