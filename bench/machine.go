package bench

import "strings"

// CPUModel is the model that /proc/cpuinfo tells of the first CPU, or "unknown":
// not every architecture tells one.
func CPUModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
