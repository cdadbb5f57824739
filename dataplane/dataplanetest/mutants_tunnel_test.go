package dataplanetest

import (
	"slices"
	"testing"

	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// Every mistake about a tunnel's headers is one that some case finds, in each
// encapsulation that has them.
func TestTunnelMutantsFail(t *testing.T) {
	t.Parallel()
	for _, e := range append(encapsulations, overlay.EncapVXLAN) {
		for name, mutant := range tunnelMutants(e) {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				failed, all := failing(t, mutant, e)
				if len(failed) == 0 {
					t.Errorf("passes all %d cases", all)
				}
				t.Logf("fails %d of %d cases", len(failed), all)
			})
		}
	}
}

// unmarked is a packet at the underlay without ECN; what does not parse stays as it is.
func unmarked(b []byte) []byte {
	if _, err := parseIP(b); err != nil {
		return b
	}
	return WithTOS(b, 0)
}

func tunnelMutants(e overlay.Encapsulation) map[string]altered {
	m := map[string]altered{
		"accepts any VTEP": {applies: stateMutants()["accepts any VTEP"]},
		"asks no member": {takes: rewrapped(func(o *encap.Outer) {
			o.Src = vtepOf(overlay.FamilyOf(o.Src), nodeB)
		})},
		"passes on no mark":          {takes: unmarked},
		"sends from another address": {delivers: sends(func(o *encap.Outer) { o.Src = o.Dst })},
		"sends another encapsulation": {delivers: sends(func(o *encap.Outer) {
			if o.Encapsulation = overlay.EncapGRE; e == overlay.EncapGRE {
				o.Encapsulation = overlay.EncapGeneve
			}
		})},
	}
	if e.HasVNI() {
		m["ignores the VNI"] = altered{takes: rewrapped(func(o *encap.Outer) { o.VNI = blueVNI })}
		m["cuts the VNI to 16 bits"] = altered{takes: rewrapped(func(o *encap.Outer) { o.VNI &= 0xffff })}
		m["sends the wrong VNI"] = altered{delivers: sends(func(o *encap.Outer) { o.VNI ^= 1 })}
	}
	if e.DefaultPort() != 0 {
		m["sends to another UDP port"] = altered{delivers: sends(func(o *encap.Outer) { o.DstPort++ })}
		m["takes any UDP port"] = altered{takes: rewrapped(func(o *encap.Outer) { o.DstPort = e.DefaultPort() })}
	} else {
		m["knows no tunnel limit"] = altered{takes: func(b []byte) []byte {
			if b[0]>>4 == 6 && packet.Protocol(b[6]) == packet.ProtoDestOptions {
				b[6] = byte(packet.ProtoNone)
			}
			return b
		}}
	}
	for name, change := range headerMutants[e] {
		m[name] = altered{takes: inHeader(e, change)}
	}
	if e == overlay.EncapGRE {
		m["cuts the key to 24 bits"] = altered{takes: rewrapped(func(o *encap.Outer) { o.VNI &= overlay.MaxVNI })}
		m["says that frames are inside"] = altered{delivers: sends(func(o *encap.Outer) { o.Inner = packet.TypeTEB })}
	}
	return m
}

// headerMutants are planes that do not see something in an encapsulation's own header,
// or see too much.
var headerMutants = map[overlay.Encapsulation]map[string]func(h []byte){
	overlay.EncapVXLAN: {
		"does not ask for a VNI": func(h []byte) { h[0] |= 0x08 },
		"loses a group policy":   func(h []byte) { h[0] &^= 0x80 },
	},
	overlay.EncapGeneve: {
		"takes any version": func(h []byte) { h[0] &= 0x3f },
		"takes control":     func(h []byte) { h[1] &^= 0x80 },
		"ignores what is critical": func(h []byte) {
			h[1] &^= 0x40
			if h[0]&0x3f != 0 {
				h[encap.GeneveLen+2] &^= 0x80
			}
		},
		"refuses options": func(h []byte) {
			if h[0]&0x3f != 0 {
				h[1] |= 0x80
			}
		},
	},
	overlay.EncapGRE: {
		"takes any version":     func(h []byte) { h[1] &^= 7 },
		"ignores routing":       func(h []byte) { h[0] &^= 0x40 },
		"does not ask for keys": func(h []byte) { h[0] |= 0x20 },
		"verifies no checksum":  func(h []byte) { h[0] &^= 0x80 },
	},
	overlay.EncapIPIP: {"looks at no version": func(inside []byte) { inside[0] = inside[0]&0x0f | 0x40 }},
	overlay.EncapSIT:  {"looks at no version": func(inside []byte) { inside[0] = inside[0]&0x0f | 0x60 }},
}

// rewrapped changes the headers of a tunnel packet, if the change is one, and nothing else.
func rewrapped(change func(*encap.Outer)) func([]byte) []byte {
	return func(b []byte) []byte {
		o, inner, err := readTunnel(b)
		before := o
		if change(&o); err != nil || o == before {
			return b
		}
		outer, err := parseIP(b)
		if err != nil {
			return b
		}
		return WithTOS(encap.Wrap(o, inner), outer.tos)
	}
}

// sends is rewrapped for what goes out.
func sends(change func(*encap.Outer)) func([]Delivery) []Delivery {
	return func(d []Delivery) []Delivery {
		return eachBytes(d, func(at Place, b []byte) []byte {
			if at != Underlay {
				return b
			}
			return rewrapped(change)(b)
		})
	}
}

// inHeader changes an encapsulation's own header, or the beginning of what is inside.
func inHeader(e overlay.Encapsulation, change func(h []byte)) func([]byte) []byte {
	return func(b []byte) []byte {
		x := exam{world: world{encapsulation: e, under: overlay.V4}}
		if b[0]>>4 == 6 {
			x.under = overlay.V6
		}
		b = slices.Clone(b)
		outer, err := parseIP(b)
		want := encap.Outer{Encapsulation: e, Src: outer.src, Dst: outer.dst}
		if own, _ := parseIP(encap.Wrap(want, nil)); err == nil && own.proto == outer.proto && len(b) > x.headerAt()+encap.GeneveLen+3 {
			change(b[x.headerAt():])
		}
		return b
	}
}
