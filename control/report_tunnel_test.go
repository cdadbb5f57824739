package control

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weft/overlay"
)

// refused is a plane's failure about one tunnel.
type refused struct{ tunnel overlay.TunnelName }

func (r refused) Error() string {
	return "tunnel " + string(r.tunnel) + ": there is a link of that name"
}

func (refused) Concerns() (overlay.NetworkName, overlay.EndpointName) { return "", "" }

func (r refused) ConcernsTunnel() overlay.TunnelName { return r.tunnel }

// TestTunnelFailures: what is wrong with one tunnel is said of that one alone.
func TestTunnelFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		n := start(t, s, cachePath(t), func(o *Options) { o.PeersPath = o.CachePath + ".peers" })
		n.hands.failWith(errors.Join(refused{"neta"}, refused{"netc"}))
		for _, name := range []string{"neta", "netb"} {
			t := toSite("", name)
			t.Spec.Remote, t.Spec.VNI = "198.51.100.7", overlay.VNI(name[3])
			put(n.t, s, t)
		}
		pass(3 * time.Second)
		for name, want := range map[overlay.TunnelName][]string{"neta": {"there is a link of that name"}, "netb": nil} {
			if got := tunnelsOf(t, s)[name].Differs; !slices.Equal(got, want) {
				t.Errorf("tunnel %s: %q, want %q", name, got, want)
			}
		}
	})
}
