//go:build unix && race

package soak

// residentSlack leaves room for the memory of the race detector, 15 MiB of which came in a second.
const residentSlack = 1 << 30
