package main

import (
	"os"
	"regexp"
	"runtime"
	"strings"
)

// A machine describes where the figures were measured.
type machine struct {
	System    string `json:"system"`
	Kernel    string `json:"kernel"`
	Processor string `json:"processor"`
	CPUs      int    `json:"cpus"`
	Go        string `json:"go"`
}

var modelName = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)

func thisMachine() machine {
	m := machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(),
		Processor: runtime.GOARCH}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := modelName.FindSubmatch(info); found != nil { // some processors have none
			m.Processor = string(found[1])
		}
	}
	return m
}
