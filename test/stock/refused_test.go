package stock

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weft/dataplane"
	"weft/internal/testenv"
	"weft/overlay"
)

// refusal is what a peer sends, and Weft does not let in, or Weft's own host does not get out.
type refusal struct {
	why overlay.DropReason
	// mine is Weft's side, theirs the peer's link.
	mine   tunnel
	theirs string
	// from has Weft's host send; else the peer does. f is the family of what is sent.
	from bool
	f    overlay.Family
}

// refusals need a peer that does not fit.
func refusals() []refusal {
	keyed := tunnel{mode: overlay.TunnelGRE, underlay: v4, options: withKeys(0x222222, 0x111111)}
	slow := tunnel{mode: overlay.TunnelGRE, underlay: v4, options: checkedAndNumbered}
	return []refusal{
		{overlay.DropUnknownVNI, keyed, "type gre" + ends + " ikey 0x111111 okey 0x333333", false, v4},
		{overlay.DropChecksum, slow, "type gre" + ends + " ikey 0x11 okey 0x22 icsum iseq oseq", false, v4},
		{overlay.DropSequence, slow, "type gre" + ends + " ikey 0x11 okey 0x22 icsum ocsum iseq", false, v4},
		{overlay.DropFamily, tunnel{mode: overlay.TunnelSIT, underlay: v4}, "type sit" + ends, true, v4},
	}
}

// TestRefusedTunnels: what the kernel would not take, programs do not take either, and say why.
func TestRefusedTunnels(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	host := newHost(t)
	p := newMachinePeer(t, host)
	connect(t, host, p)
	plane := newPlane(t, host)
	for i, r := range refusals() {
		t.Run(string(r.why), func(t *testing.T) {
			l := r.mine.numbered(i + 1)
			l.link = r.theirs
			want := dataplane.State{Node: names[0], Tunnels: map[overlay.TunnelName]dataplane.Tunnel{"only": l.tunnel(t)}}
			check(t, plane.Apply(context.Background(), want, nil))
			p.Run(l.script())
			defer p.Run("ip link delete " + l.dev())
			before := dropped(t, plane)
			if r.from {
				testenv.Run(t, host, "ip", "route", "add", l.address(0, r.f).Masked().String(), "dev", l.dev())
				testenv.Run(t, host, "sh", "-c", "! ping -nq -c1 -W1 "+l.address(1, r.f).Addr().String())
			} else {
				p.Run("! ping -nq -c1 -W1 " + l.address(0, r.f).Addr().String())
			}
			if after := dropped(t, plane); after[r.why] == before[r.why] {
				t.Errorf("dropped %v, and before %v", after, before)
			}
		})
	}
	check(t, plane.Apply(context.Background(), dataplane.State{Node: names[0]}, nil))
	if left := testenv.Output(t, host, "ip", "-br", "link"); strings.Contains(left, "tun") || strings.Contains(left, "wt") {
		t.Errorf("left behind:\n%s", left)
	}
}

// dropped counts what was dropped of the tunnel and of none.
func dropped(t *testing.T, plane dataplane.Plane) overlay.Drops {
	t.Helper()
	seen, err := plane.Compare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all := overlay.Drops{}
	for why, n := range seen.Drops {
		all[why] += n
	}
	for name, v := range seen.Tunnels {
		for why, n := range v.Drops {
			all[why] += n
		}
		if len(v.Differs) > 0 || v.Present != v.Wanted {
			t.Errorf("tunnel %s is not as wanted: %s", name, fmt.Sprint(v.Differs))
		}
	}
	return all
}
