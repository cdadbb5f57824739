package probe

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Busy is the time that all CPUs of this host together were not idle since it
// started, in steps of 10 ms (proc(5), /proc/stat).
func Busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(string(text))
}

// parseBusy reads the first line: user nice system idle iowait irq softirq steal …
func parseBusy(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("read /proc/stat: %q", line)
	}
	var ticks int64
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/stat: %w", err)
		}
		if idle, waiting := i == 3, i == 4; !idle && !waiting {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// boot tells this host from others, and from itself before it was last started: two
// sides of one measurement that are on one host count its CPUs once.
func boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(id)), err
}

// usage is what CPUs did since it was begun.
type usage struct {
	busy  time.Duration
	began time.Time
}

func beginUsage() (usage, error) {
	busy, err := Busy()
	return usage{busy, time.Now()}, err
}

// end returns how long the CPUs were busy, and on what time.
func (u usage) end() (cpu, clock time.Duration, err error) {
	busy, err := Busy()
	return busy - u.busy, time.Since(u.began), err
}
