package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestBench measures the way between two endpoints as users do, across the router.
func TestBench(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24")
	from, to := s.a.attach("blue"), s.c.attach("blue")
	s.settled()
	server, err := s.c.Start(s.weft.Command(s.c.Host, "weft", "bench", "serve", "blue/"+to.name))
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, patience, func() error {
		said, err := server.Output()
		if err != nil {
			return err
		}
		return saysAll(said, "blue/"+to.name+" answers at "+to.address(overlay.V4).String()+":7717")
	}, "the server answers")
	var figures []struct {
		ID     string
		Median float64
	}
	out := s.a.weft("bench run blue/%s %s --rounds 1 --time 50ms -o json", from.name, to.address(overlay.V4))
	if err := json.Unmarshal([]byte(out), &figures); err != nil {
		t.Fatal(err)
	}
	measured := map[string]bool{}
	for _, f := range figures {
		measured[f.ID] = f.Median > 0
	}
	for _, id := range strings.Fields("tcp1 tcp4 udp64 udp1400 rr rr50 rr99") {
		if !measured[id] {
			t.Errorf("%s is not measured: %s", id, out)
		}
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
