package kernel

import "testing"

// TestMetricOf: interfaces of one workload never have default routes of one metric,
// and eth0's comes first.
func TestMetricOf(t *testing.T) {
	t.Parallel()
	names := []string{"eth0", "eth1", "eth01", "eth", "eth10", "q0", "q1", "lan", "wan", "ens3", "net0", "a", "b", "ethx0"}
	seen := map[int]string{}
	for _, name := range names {
		m := metricOf(LinkID{Name: name})
		if other, taken := seen[m]; taken {
			t.Errorf("%s and %s have metric %d", name, other, m)
		}
		if m <= 1024 || m >= 1<<31 || name != "eth0" && m <= metricOf(LinkID{Name: "eth0"}) {
			t.Errorf("%s has metric %d", name, m)
		}
		seen[m] = name
	}
}
