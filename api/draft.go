package api

import (
	"crypto/sha256"
	"math/rand/v2"
	"net/netip"

	"weft/ipam"
	"weft/overlay"
)

// avoid are claims that the store refused to give: somebody has them of whom
// the index does not know yet.
type avoid map[overlay.Claim]bool

// draft is a resource on its way into the store. What is chosen for it is
// reserved, so that requests at the same time choose differently; what another
// server chose meanwhile is avoided the next time.
type draft struct {
	avoid avoid
	// chose are the claims that the server chose, and may choose otherwise.
	chose map[overlay.Claim]bool
	undo  []func()
}

// release gives up the reservations: the resource is written, or will not be.
func (d *draft) release() {
	for _, f := range d.undo {
		f()
	}
}

func (d *draft) reserved(claim overlay.Claim, undo func()) {
	if d.chose == nil {
		d.chose = map[overlay.Claim]bool{}
	}
	d.chose[claim] = true
	d.undo = append(d.undo, undo)
}

// chooseVNI chooses and reserves a VNI.
func (x *index) chooseVNI(d *draft) (overlay.VNI, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v, err := ipam.NextVNI(func(v overlay.VNI) bool { return x.used.vnis.Has(v) || d.avoid[overlay.VNIClaim(v)] })
	if err != nil {
		return 0, err
	}
	x.used.vnis[v]++
	d.reserved(overlay.VNIClaim(v), func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.used.vnis.drop(v)
	})
	return v, nil
}

// chooseAddress chooses and reserves an address in a network.
func (x *index) chooseAddress(n overlay.NetworkName, p ipam.Pool, d *draft) (netip.Addr, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.used.in(n)
	a, err := p.NextAddress(taken{n, u.addresses, d.avoid}, u.last[p.Range])
	if err != nil {
		return netip.Addr{}, err
	}
	u.last[p.Range] = a
	u.addresses[a]++
	d.reserved(overlay.AddressClaim(n, a), func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		u.addresses.drop(a)
	})
	return a, nil
}

// taken is what a network's addresses are chosen beside.
type taken struct {
	network overlay.NetworkName
	used    counts[netip.Addr]
	avoid   avoid
}

// Has implements ipam.Taken.
func (t taken) Has(a netip.Addr) bool {
	return t.used.Has(a) || len(t.avoid) > 0 && t.avoid[overlay.AddressClaim(t.network, a)]
}

// Len implements ipam.Taken.
func (t taken) Len() int { return t.used.Len() + len(t.avoid) }

// chooseMAC chooses and reserves a MAC in a network. An endpoint's follows from its first
// address: who still remembers whose that was before has the right MAC.
func (s *Server) chooseMAC(n overlay.NetworkName, addresses []netip.Addr, d *draft) (overlay.MAC, error) {
	source := s.Random
	if len(addresses) > 0 {
		source = rand.NewChaCha8(sha256.Sum256([]byte(string(n) + "/" + addresses[0].String())))
	}
	x := s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.used.in(n)
	m, err := ipam.NextMAC(source, func(m overlay.MAC) bool { return u.macs.Has(m) || d.avoid[overlay.MACClaim(n, m)] })
	if err != nil {
		return overlay.MAC{}, err
	}
	u.macs[m]++
	d.reserved(overlay.MACClaim(n, m), func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		u.macs.drop(m)
	})
	return m, nil
}
