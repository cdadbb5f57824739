//go:build !race

package etcdstore

// raceDetector: this binary takes several times the time and memory.
const raceDetector = false
