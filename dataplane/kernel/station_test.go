package kernel

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weft/dataplane"
	"weft/overlay"
	"weft/packet"
)

func stationMAC(i int) (m overlay.MAC) {
	binary.BigEndian.PutUint32(m[2:], uint32(i))
	m[0] = 2
	return m
}

// recorded returns stations that record what they announce.
func recorded() (*stations, *[]dataplane.Event) {
	var events []dataplane.Event
	return newStations(func(e dataplane.Event) { events = append(events, e) }), &events
}

var office, lab = segmentPort{"blue", "office"}, segmentPort{"blue", "lab"}

func TestStations(t *testing.T) {
	t.Parallel()
	ip4, ip6 := netip.MustParseAddr("10.7.0.5"), netip.MustParseAddr("fe80::5")
	mac := stationMAC(5)
	for name, c := range map[string]struct {
		do   func(*stations)
		want []dataplane.Event
	}{
		"learnt": {func(s *stations) { s.learnt(office, mac); s.learnt(office, mac) }, []dataplane.Event{
			office.event(dataplane.EventStation, mac, nil),
		}},
		"addresses": {func(s *stations) {
			s.heard(office, mac, ip6)
			s.learnt(office, mac)
			s.heard(office, mac, ip4)
			s.heard(office, mac, ip6)
			s.heard(office, mac, netip.Addr{})
		}, []dataplane.Event{
			office.event(dataplane.EventStation, mac, []netip.Addr{ip6}),
			office.event(dataplane.EventStation, mac, []netip.Addr{ip4, ip6}),
		}},
		"moved to another port": {func(s *stations) { s.learnt(office, mac); s.learnt(lab, mac) }, []dataplane.Event{
			office.event(dataplane.EventStation, mac, nil),
			office.event(dataplane.EventStationGone, mac, nil),
			lab.event(dataplane.EventStation, mac, nil),
		}},
		"moved away": {func(s *stations) { s.learnt(office, mac); s.moved("blue", mac); s.moved("blue", mac) }, []dataplane.Event{
			office.event(dataplane.EventStation, mac, nil),
			office.event(dataplane.EventStationGone, mac, nil),
		}},
		"port gone": {func(s *stations) { s.learnt(office, mac); s.keep("blue", nil); s.forgot(office, mac) }, []dataplane.Event{
			office.event(dataplane.EventStation, mac, nil),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, events := recorded()
			c.do(s)
			if d := cmp.Diff(c.want, *events, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("want (-), got (+):\n%s", d)
			}
		})
	}
}

// A flood of MACs is announced at a bounded rate, and up to a bounded number.
func TestStationsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, events := recorded()
		for i := range 10 * maxStations {
			s.learnt(office, stationMAC(i))
		}
		if len(*events) != stationBurst {
			t.Errorf("at once: %d events, want %d", len(*events), stationBurst)
		}
		time.Sleep(time.Second)
		s.tick()
		if len(*events) != stationBurst+stationRate {
			t.Errorf("after a second: %d events, want %d", len(*events), stationBurst+stationRate)
		}
		for range 60 {
			time.Sleep(time.Second)
			s.tick()
		}
		if len(*events) != maxStations {
			t.Errorf("in the end: %d events, want %d", len(*events), maxStations)
		}
		for i := range 100 {
			s.heard(office, stationMAC(0), netip.AddrFrom4([4]byte{10, 7, 0, byte(i)}))
		}
		if got := len(s.segments[office].known[stationMAC(0)].addresses); got != maxAddresses {
			t.Errorf("%d addresses, want %d", got, maxAddresses)
		}
	})
}

// A station that was only heard is forgotten after a while without a word.
func TestHeardStationsAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, events := recorded()
		s.heard(office, stationMAC(1), netip.Addr{})
		s.learnt(office, stationMAC(2))
		time.Sleep(stationAge)
		s.tick()
		if len(*events) != 2 {
			t.Errorf("early: %v", *events)
		}
		time.Sleep(time.Second)
		s.tick()
		if len(*events) != 3 || (*events)[2].Kind != dataplane.EventStationGone || (*events)[2].Station.MAC != stationMAC(1) {
			t.Errorf("late: %v", *events)
		}
	})
}

// A station that the bridge forgets is gone a moment later, unless the bridge learns it
// again, or had to forget it with its port or altogether.
func TestForgottenStations(t *testing.T) {
	t.Parallel()
	mac := stationMAC(5)
	for name, c := range map[string]struct {
		do   func(*stations)
		gone bool
	}{
		"for good":             {func(*stations) {}, true},
		"and learnt again":     {func(s *stations) { s.learnt(office, mac) }, false},
		"with the bridge":      {func(s *stations) { s.spare("blue", "") }, false},
		"with its port":        {func(s *stations) { s.spare("blue", "office") }, false},
		"and another port's":   {func(s *stations) { s.spare("blue", "lab") }, true},
		"and another bridge's": {func(s *stations) { s.spare("red", "") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, events := recorded()
				s.learnt(office, mac)
				s.forgot(office, mac)
				c.do(s)
				s.tick()
				if len(*events) != 1 {
					t.Errorf("at once: %v", *events)
				}
				time.Sleep(stationGrace + stationTick)
				s.tick()
				if gone := len(*events) == 2 && (*events)[1].Kind == dataplane.EventStationGone; gone != c.gone {
					t.Errorf("a moment later: %v", *events)
				}
				if c.gone {
					return
				}
				s.forgot(office, mac) // now by itself
				time.Sleep(stationGrace + stationTick)
				s.tick()
				if len(*events) != 2 {
					t.Errorf("in the end: %v", *events)
				}
			})
		})
	}
}

func TestSpeaker(t *testing.T) {
	t.Parallel()
	mac := [6]byte{2, 0, 0, 0, 0, 5}
	ip4, ip6, other := netip.MustParseAddr("10.7.0.5"), netip.MustParseAddr("fd07::5"), netip.MustParseAddr("fd07::6")
	all := netip.MustParseAddr("ff02::1")
	forwarded := packet.NAFrame(mac, ip6, 0, mac, other)
	forwarded[14+7] = 64
	forged := packet.ARPRequestFrame(mac, ip4, ip4)
	forged[6+5]++
	for name, c := range map[string]struct {
		frame []byte
		ip    netip.Addr
		ok    bool
	}{
		"ARP request":       {packet.ARPRequestFrame(mac, ip4, netip.MustParseAddr("10.7.0.6")), ip4, true},
		"ARP reply":         {packet.ARPReplyFrame(mac, ip4, mac, ip4), ip4, true},
		"ARP probe":         {packet.ARPRequestFrame(mac, netip.IPv4Unspecified(), ip4), netip.Addr{}, true},
		"ARP about another": {forged, netip.Addr{}, true},
		"solicitation":      {packet.NSFrame(mac, ip6, other), ip6, true},
		"DAD":               {packet.NSFrame(mac, netip.IPv6Unspecified(), ip6), ip6, true},
		"advertisement":     {packet.NAFrame(mac, ip6, 0, mac, all), ip6, true},
		"from elsewhere":    {forwarded, netip.Addr{}, true},
		"from a group":      {packet.ARPRequestFrame([6]byte{1, 0, 0, 0, 0, 5}, ip4, ip4), netip.Addr{}, false},
		"short":             {[]byte{1, 2, 3}, netip.Addr{}, false},
	} {
		_, ip, ok := speaker(c.frame)
		if ip != c.ip || ok != c.ok {
			t.Errorf("%s: want %v %v, got %v %v", name, c.ip, c.ok, ip, ok)
		}
	}
}
