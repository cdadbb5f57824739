package rotation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
)

const (
	// lifetime of the certificates. They are renewed after two thirds of it.
	lifetime  = time.Minute
	rotations = 3
	// patience is how long anything else may take: far longer than it does.
	patience = 20 * time.Second
)

// TestRotation: certificates that live for a minute are renewed three times, those of
// the nodes, of the server and of somebody who watches. No packet is lost between any
// two workloads, no agent loses its connection to the server, and the watch that was opened with
// the first certificate delivers what happens under the fourth.
func TestRotation(t *testing.T) {
	w := begin(t)
	all := w.attachEverywhere("blue")
	for _, from := range all {
		w.reaches(from, all)
	}
	before := w.connections()
	flowing := startTraffic(t, all)
	watching := w.watch("blue")

	shown := shown{}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for deadline := time.After((rotations + 1) * lifetime); ; {
		shown.add(t, w, watching)
		if shown.all(1 + rotations) {
			break
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("want %d certificates of each: %v", 1+rotations, shown)
		}
	}

	fresh := w.attach("blue", "fresh", "b")
	testenv.Eventually(t, patience, func() error { return watching.has("fresh") }, "the watch delivers")
	w.reaches(fresh, all)
	flowing.lostNothing()
	watching.end(t)
	for host, since := range w.connections() {
		if since != before[host] {
			t.Errorf("host %s: connected to the server since %v, and before the rotations since %v", host, since, before[host])
		}
	}
}

// shown are the certificates that each has shown, by its name.
type shown map[string][]string

// add adds those of now that are new.
func (s shown) add(t *testing.T, w *world, v *watch) {
	t.Helper()
	now := map[string]string{"the server": w.serverCertificate(), "who watches": v.certificate()}
	for _, h := range w.Hosts() {
		now["node "+h.Name()] = w.nodeCertificate(h)
	}
	for who, c := range now {
		if had := s[who]; len(had) == 0 || had[len(had)-1] != c {
			s[who] = append(had, c)
		}
	}
}

// all reports whether everybody has shown that many.
func (s shown) all(n int) bool {
	for _, c := range s {
		if len(c) < n {
			return false
		}
	}
	return true
}

func (s shown) String() string {
	var b strings.Builder
	for who, c := range s {
		fmt.Fprintf(&b, "%s has shown %d; ", who, len(c))
	}
	return strings.TrimSuffix(b.String(), "; ")
}
