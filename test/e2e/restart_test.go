package e2e

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestRestartLosesNothing: agents and the server are killed and started again, many
// times, under traffic between all workloads. No packet is lost, and of what is on the
// hosts nothing is changed. It runs by itself, one plane after the other: other tests
// would take it the processor at which packets are counted.
func TestRestartLosesNothing(t *testing.T) {
	for _, plane := range planes {
		t.Run(string(plane), func(t *testing.T) { restartsLoseNothing(t, plane) })
	}
}

func restartsLoseNothing(t *testing.T, plane overlay.PlaneName) {
	s := begin(t)
	var flowing []*traffic
	for i, kind := range kinds {
		name := string(kind)
		s.a.weft("network create %s --kind %s --plane %s --subnet 10.%d.0.0/16 --subnet6 fd00:%d::/48", name, kind, plane, i, i)
		all := s.attachEverywhere(name)
		s.settled()
		flowing = append(flowing, startTraffic(t, families[i], families[1-i], all))
	}
	before := s.picture()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range testenv.Rounds(20, 500) {
		victims := s.hosts()
		random.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
		victims = victims[:1+random.IntN(len(victims))]
		for _, h := range victims {
			h.kill()
		}
		for _, h := range victims {
			h.restart()
		}
	}
	s.settled()
	for _, tr := range flowing {
		tr.lostNothing()
	}
	s.becomes(before)
}

// dropped lists the counters of packets that the workload's own sockets dropped, or
// could not send, for want of room: "UdpRcvbufErrors 3".
func (w *workload) dropped() (string, error) {
	var dropped []string
	err := w.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		text6, err := os.ReadFile("/proc/thread-self/net/snmp6")
		if err != nil {
			return err
		}
		for name, value := range counters(string(text), string(text6)) {
			if strings.HasSuffix(name, "bufErrors") && value != "0" {
				dropped = append(dropped, name+" "+value)
			}
		}
		return nil
	})
	return strings.Join(dropped, ", "), err
}

// counters reads the kernel's: of IPv4 a line of names and a line of values for each
// protocol, of IPv6 a line for each counter.
func counters(snmp, snmp6 string) map[string]string {
	found := map[string]string{}
	lines := strings.Split(strings.TrimSpace(snmp), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j := 1; j < len(names) && j < len(values); j++ {
			found[strings.TrimSuffix(names[0], ":")+names[j]] = values[j]
		}
	}
	for line := range strings.Lines(snmp6) {
		if f := strings.Fields(line); len(f) == 2 {
			found[f[0]] = f[1]
		}
	}
	return found
}
