package stock

import (
	"bytes"
	"fmt"
	"testing"

	"weft/encap"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// TestHeaders: the packets of the kernel's tunnel devices are those that package encap makes,
// byte for byte, and the other way round what that makes arrives there; and the devices have
// the MTU that it computes. With -update the packets are written to encap's testdata.
//
// Frames go in by eth1 of a machine that routes them, or bridges them where the tunnel
// carries frames, into the device, and come out by eth0; and back.
func TestHeaders(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	b := newBox(t)
	golden, packets := map[string][]byte{}, 0
	for i, w := range wrappings {
		packets += len(w.inside)
		t.Run(w.name, func(t *testing.T) {
			underlay := underlayMTU - i
			mtu := b.set(t, w, underlay)
			defer b.clear(t, w)
			w.checkMTU(t, mtu, underlay)
			for i, f := range w.inside {
				name := w.name
				if i > 0 {
					name += "-" + string(f)
				}
				golden[name] = b.out(t, w, f)
				b.in(t, w, f)
			}
		})
	}
	if len(golden) < packets {
		return // some have failed, or were not asked for
	}
	testenv.Golden(t, "../../../encap/testdata/kernel.txt", testenv.FormatFrames(goldenHead, golden, tsharkSays(t, golden)))
}

// checkMTU holds the device's own MTU to what is computed.
func (w wrapping) checkMTU(t *testing.T, mtu string, underlay int) {
	t.Helper()
	want, err := encap.TunnelMTU(w.spec, w.over, underlay, w.inside...)
	if err != nil {
		t.Fatal(err)
	}
	if w.network != "" {
		if port, err := encap.PortMTU(w.encapsulation(), w.network, w.over, underlay, w.inside...); err != nil || port != want {
			t.Errorf("networks have an MTU of %d, %v, and tunnels of %d", port, err, want)
		}
	}
	if w.limited {
		want -= encap.TunnelLimitLen
	}
	if mtu != fmt.Sprint(want) {
		t.Errorf("the device has an MTU of %s, computed are %d", mtu, want)
	}
}

// frames are a frame that goes in at one end, and as it is when it has gone through the
// machine: a router's TTL is one less.
func (b *box) frames(w wrapping, f overlay.Family, payload string) (sent, passed []byte) {
	e := packet.Ends{SrcMAC: ours, DstMAC: b.macs[1], Src: boxAddresses[f][0], Dst: boxAddresses[f][1], TTL: packet.DefaultTTL}
	if w.spec.Mode.Ethernet() {
		e.DstMAC = [6]byte{2, 0, 0, 0, 0, 2}
		sent = e.UDP(4000, 4001, []byte(payload))
		return sent, sent
	}
	passed = e.UDP(4000, 4001, []byte(payload))
	e.TTL++
	return e.UDP(4000, 4001, []byte(payload)), passed[packet.EthernetLen:]
}

// out sends a frame through the device, holds what comes out to what Weft would send, and
// returns it.
func (b *box) out(t *testing.T, w wrapping, f overlay.Family) []byte {
	t.Helper()
	frame, inner := b.frames(w, f, w.name)
	check(t, inject(b.ns, "eth1", frame))
	var got []byte
	testenv.Eventually(t, patience, func() error {
		for _, frame := range framesOf(t, b.outside) {
			if bytes.HasSuffix(frame, inner) {
				got = normal(frame)
				return nil
			}
		}
		return fmt.Errorf("nothing has come out")
	}, "a packet comes out of the tunnel device")
	want := encap.Wrap(w.outer(f, false), inner)
	if !bytes.Equal(got[packet.EthernetLen:], want) {
		t.Errorf("the kernel has\n%x, we\n%x", got[packet.EthernetLen:], want)
	}
	o, rest, err := encap.UnwrapTunnel(w.spec.Mode, got[packet.EthernetLen:], w.spec.Port)
	if o != w.outer(f, false) || err != nil || !bytes.Equal(rest, inner) {
		t.Errorf("read is %+v, %x, %v, want %+v", o, rest, err, w.outer(f, false))
	}
	return got
}

// in sends what Weft makes, good and bad, to the device: the good ones come out.
func (b *box) in(t *testing.T, w wrapping, f overlay.Family) {
	t.Helper()
	eth := packet.Ethernet{Dst: b.macs[0], Src: ours, Type: packet.TypeIPv4}
	if w.over == v6 {
		eth.Type = packet.TypeIPv6
	}
	good, last := w.outer(f, true), "last"
	good.Sequence = 100
	wants := map[string]bool{}
	send := func(what string, o encap.Outer, wanted bool, change func(b []byte)) {
		inner, passed := b.answer(w, f, what)
		p := encap.Wrap(o, inner)
		change(p)
		check(t, inject(b.ns, "eth0", eth.Append(nil), p))
		wants[string(passed)] = wanted
	}
	send("good", good, true, func([]byte) {})
	for what, o := range w.strange(good) {
		send(what, o, false, func([]byte) {})
	}
	if good.Checksum {
		send("wrong checksum", good, false, func(p []byte) { p[len(p)-1] ^= 1 })
	}
	if w.over == v6 { // who sends a tunnel limit takes packets without one, and the other way round
		good.Sequence++
		good.HasLimit, good.Limit = !good.HasLimit, limit
		send("other limit", good, true, func([]byte) {})
	}
	good.Sequence += 7 // some are lost
	send(last, good, true, func([]byte) {})
	got := map[string]bool{}
	_, end := b.answer(w, f, last)
	testenv.Eventually(t, patience, func() error {
		for _, frame := range framesOf(t, b.inner) {
			for passed := range wants {
				if bytes.HasSuffix(frame, []byte(passed)) {
					got[passed] = true
				}
			}
		}
		if !got[string(end)] {
			return fmt.Errorf("the last packet has not come out")
		}
		return nil
	}, "packets come out behind the tunnel device")
	for passed, want := range wants {
		if got[passed] != want {
			t.Errorf("%q: has passed %v, want %v", passed[len(passed)-16:], got[passed], want)
		}
	}
}

// answer is what is inside on the way back, and as it is when it has gone through.
func (b *box) answer(w wrapping, f overlay.Family, payload string) (inner, passed []byte) {
	payload = fmt.Sprintf("%16s", payload)
	e := packet.Ends{SrcMAC: [6]byte{2, 0, 0, 0, 0, 2}, DstMAC: ours, Src: boxAddresses[f][1], Dst: boxAddresses[f][0]}
	if w.spec.Mode.Ethernet() {
		frame := e.UDP(4001, 4000, []byte(payload))
		return frame, frame
	}
	passed = e.UDP(4001, 4000, []byte(payload))[packet.EthernetLen:]
	e.TTL = packet.DefaultTTL + 1
	return e.UDP(4001, 4000, []byte(payload))[packet.EthernetLen:], passed
}

// strange are packets that are not for the device, and that encap would have a receiver refuse,
// as the kernel does (net/ipv4/ip_tunnel.c: ip_tunnel_lookup, ip_tunnel_rcv; net/ipv6/ip6_gre.c).
func (w wrapping) strange(good encap.Outer) map[string]encap.Outer {
	all := map[string]encap.Outer{}
	add := func(what string, change func(o *encap.Outer)) {
		o := good
		change(&o)
		all[what] = o
	}
	if w.spec.Mode.IsGRE() {
		add("another key", func(o *encap.Outer) { o.VNI, o.NoKey = o.VNI+1, false })
		if !good.NoKey {
			add("no key", func(o *encap.Outer) { o.VNI, o.NoKey = 0, true })
		}
		add("checksum or not", func(o *encap.Outer) { o.Checksum = !o.Checksum })
		if w.spec.InSequence {
			add("no number", func(o *encap.Outer) { o.HasSequence = false })
			add("an old number", func(o *encap.Outer) { o.Sequence-- })
		}
	}
	if w.spec.Mode.HasVNI() {
		add("another VNI", func(o *encap.Outer) { o.VNI++ })
	}
	if w.spec.Port != 0 {
		add("another port", func(o *encap.Outer) { o.DstPort++ })
	} else {
		add("another peer", func(o *encap.Outer) { o.Src = o.Src.Next().Next() })
	}
	return all
}
