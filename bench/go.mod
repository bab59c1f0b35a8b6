module github.com/lipc/ipc/bench

go 1.26.0

require (
	github.com/cloudwego/shmipc-go v0.2.0
	github.com/james-barrow/golang-ipc v1.2.4
	github.com/lipc/ipc v0.0.0
	github.com/mdlayher/socket v0.8.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/Microsoft/go-winio v0.6.1 // indirect
	github.com/bytedance/gopkg v0.0.0-20220817015305-b879a72dc90f // indirect
	github.com/go-ole/go-ole v1.2.6 // indirect
	github.com/power-devops/perfstat v0.0.0-20210106213030-5aafc221ea8c // indirect
	github.com/shirou/gopsutil/v3 v3.22.1 // indirect
	github.com/yusufpapurcu/wmi v1.2.2 // indirect
	golang.org/x/mod v0.10.0 // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/tools v0.9.1 // indirect
)

replace github.com/lipc/ipc => ..
