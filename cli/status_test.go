package cli

import (
	"bytes"
	"testing"
	"time"

	"weft/api/agentapi"
	"weft/cli/output"
	"weft/overlay"
)

// TestStatusText: a host without networks has one table, and an agent that has
// just started has lost nothing.
func TestStatusText(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	server := agentapi.Connection{Server: "192.0.2.1:7411"}
	lost := server
	lost.Error, lost.Since = "connection refused", now.Add(-5*time.Second)
	connected := server
	connected.Connected, connected.Since = true, now.Add(-5*time.Second)
	blue := []overlay.NetworkReport{{Network: "blue", Plane: overlay.PlaneKernel, Wanted: 2, Present: 2, Since: now.Add(-time.Minute)}}
	for name, tt := range map[string]struct {
		server   agentapi.Connection
		networks []overlay.NetworkReport
		want     string
	}{
		"no networks": {connected, nil, "" +
			"NODE  STATE        SEEN  SERVER                       DROPS\n" +
			"a *   no networks  now   192.0.2.1:7411 connected 5s  -\n"},
		"just started": {server, nil, "" +
			"NODE  STATE     SEEN  SERVER                     DROPS\n" +
			"a *   starting  now   192.0.2.1:7411 connecting  -\n"},
		"just started, from the cache": {server, blue, "" +
			"NODE  STATE    SEEN  SERVER                     DROPS\n" +
			"a *   matches  now   192.0.2.1:7411 connecting  -\n\n" +
			"NODE  NETWORK  PLANE   WHY  WANTED  PRESENT  STATE    SINCE  DROPS\n" +
			"a *   blue     kernel  -    2       2        matches  1m     -\n"},
		"no server": {lost, nil, "" +
			"NODE  STATE        SEEN  SERVER                  DROPS\n" +
			"a *   no networks  now   192.0.2.1:7411 lost 5s  -\n\n" +
			"a: no server: connection refused\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			a := &app{stdout: &out, now: func() time.Time { return now }}
			nodes := []nodeState{{Node: "a", Local: true, Server: &tt.server, Networks: tt.networks}}
			if err := a.printStatus(output.Table, nodes, ""); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got\n%swant\n%s", out.String(), tt.want)
			}
		})
	}
}

// TestMatchTextOfNone: weft node ls and weft status have one word for it.
func TestMatchTextOfNone(t *testing.T) {
	t.Parallel()
	if got := matchText(nil); got != "no networks" {
		t.Errorf("got %q", got)
	}
}
