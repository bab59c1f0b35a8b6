package main

import (
	"math"
	"slices"
)

// A figure is a median with its quartiles.
type figure struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`  // the lower quartile
	High   float64 `json:"high"` // the upper quartile
}

// spread is half of the distance between the quartiles, divided by the median.
func (f figure) spread() float64 { return (f.High - f.Low) / 2 / f.Median }

// summarize needs at least one value.
func summarize(values []float64) figure {
	sorted := slices.Sorted(slices.Values(values))
	return figure{quantile(sorted, 0.5), quantile(sorted, 0.25), quantile(sorted, 0.75)}
}

// quantile interpolates between the two nearest of the sorted values.
func quantile(sorted []float64, q float64) float64 {
	below, part := math.Modf(q * float64(len(sorted)-1))
	i := int(below)
	if part == 0 {
		return sorted[i]
	}
	return sorted[i] + part*(sorted[i+1]-sorted[i])
}

// ratios divides each round of one contender by the same round of another.
func ratios(of, by []float64) []float64 {
	quotients := make([]float64, min(len(of), len(by)))
	for i := range quotients {
		quotients[i] = of[i] / by[i]
	}
	return quotients
}
