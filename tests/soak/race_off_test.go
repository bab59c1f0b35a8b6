//go:build unix && !race

package soak

// residentSlack is how far resident memory may be from its base, in bytes. In two minutes 1 MiB was seen: of threads,
// and of pages that the runtime has not yet given back.
const residentSlack = 8 << 20
