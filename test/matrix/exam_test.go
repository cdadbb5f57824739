package matrix

import (
	"fmt"
	"path/filepath"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/trace"
)

// exam is a row on its bed.
type exam struct {
	*testbed
	row
	// mtu is that of the largest packets that both ends take, and room that of the way between them.
	mtu, room int
	// frames have passed the wire since the row began, until it was sealed.
	frames []trace.Frame
	sealed bool
	// injected counts packets that were made for the row, from far behind all that the peer has sent.
	injected uint32
	// asked is what came of the far end's pings, by what they are about.
	asked map[asked]error
}

// asked is a ping of the far end's.
type asked struct {
	what string
	f    overlay.Family
}

// take holds each row to what is expected of it, one after the other.
func (b *testbed) take(t *testing.T, rows []row) (all []trace.Frame) {
	for _, r := range rows {
		t.Run(r.String(), func(t *testing.T) { all = append(all, b.examine(t, r)...) })
	}
	return all
}

// examine is one row, of which it returns what has passed the wire but for packets that were
// made for it.
func (b *testbed) examine(t *testing.T, r row) []trace.Frame {
	b.weft.forward(t, r, near)
	b.partner.join(t, r)
	b.wire.passed(t) // the last row's
	x := &exam{testbed: b, row: r, asked: map[asked]error{}, injected: 1 << 20}
	x.room = r.mtuBetween(t)
	x.mtu = min(x.room, r.mtuAt(t, near))
	if !r.routes() && r.fits(v4) {
		check(t, b.last.join(x.end(), r.device()))
	}
	x.askBack(t)
	for _, c := range columns {
		want := expected(r, c.name)
		if want.verdict == absent || c.made && !r.first() {
			continue
		}
		if c.made && !x.sealed {
			x.seal(t)
		}
		t.Run(c.name, func(t *testing.T) { c.hold(x, t, want) })
	}
	if !x.sealed {
		x.seal(t)
	}
	return x.frames
}

// seal ends the part of the row in which all that passes is the two ends' own.
func (x *exam) seal(t *testing.T) {
	t.Helper()
	x.sealed = true
	x.frames = append(x.frames, x.wire.passed(t)...)
	check(t, x.whole())
	check(t, x.weft.asWanted())
	check(t, x.settle(t))
}

// until waits for one of the ends' own frames.
func (x *exam) until(t *testing.T, last func(trace.Frame) bool) {
	t.Helper()
	x.wire.until(t, func(f trace.Frame) bool {
		x.frames = append(x.frames, f)
		return last(f)
	})
}

// end is where the near end is.
func (x *exam) end() string { return x.weft.end(x.row) }

// small is the size of a ping that fits anywhere.
const small = 100

// The far end's pings, beside those of each family.
const (
	largest, routers, everybody = "largest", "224.0.0.5", "broadcast"
)

// limitLen is the length of a tunnel encapsulation limit.
const limitLen = 8

// askBack has the far end ping all that should answer.
func (x *exam) askBack(t *testing.T) {
	t.Helper()
	var whats []asked
	var pings []echo
	add := func(what string, f overlay.Family, e echo) {
		whats, pings = append(whats, asked{what, f}), append(pings, e)
	}
	most := x.mtu
	if x.option == limited {
		most -= limitLen
	}
	for _, f := range x.inside() {
		add(largest, f, echo{to: x.address(near, f), size: most}) // so smaller ones need not be asked
		if expected(x.row, columnMulticast).verdict == passes {
			add(routers, f, echo{to: groupOf(f), device: x.device(), size: small})
		}
	}
	if expected(x.row, columnBroadcast).verdict == passes {
		add(everybody, v4, echo{to: x.broadcast(), size: small})
	}
	for i, err := range x.partner.ask(t, x.row, pings) {
		x.asked[whats[i]] = err
	}
}

// answered fails the test unless the far end's ping was, and so is the near end's.
func (x *exam) answered(t *testing.T, what string, f overlay.Family, e echo) {
	t.Helper()
	if err, ok := x.asked[asked{what, f}]; err != nil || !ok {
		t.Errorf("the peer asks %s: %v", what, err)
	}
	if err := e.ask(x.end()); err != nil {
		t.Errorf("the peer is asked %+v: %v", e, err)
	}
}

// several packets are sent that are to be refused: hosts send some by themselves that are, too.
const several = 5

// dropped fails the test unless several packets that are sent are refused as it is expected.
func (x *exam) dropped(t *testing.T, want outcome, send func()) {
	t.Helper()
	before := x.count(t, want)
	send()
	testenv.Eventually(t, patience, func() error {
		if after := x.count(t, want); want.counts() && after < before+several {
			return fmt.Errorf("there are %d, and were %d before; all of Weft's: %s", after, before, x.weft.drops(t))
		}
		return nil
	}, "it is "+want.String())
}

// count is how many packets were refused so by now.
func (x *exam) count(t *testing.T, want outcome) uint64 {
	t.Helper()
	if want.statistic != "" {
		ns, device := x.weft.ns, x.device()
		if x.attached() && want.statistic != udpChecksums {
			ns, device = filepath.Join(x.weft.domains, "weft-"+string(x.networkName())), siteDevice
		}
		n, err := want.statistic.read(ns, device, x.over)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if want.drop == "" {
		return 0
	}
	return x.weft.drops(t)[want.drop]
}
