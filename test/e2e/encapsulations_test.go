package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"weft/encap"
	"weft/overlay"
)

// TestEncapsulations: networks of every encapsulation stand side by side, over both families
// of the underlay and across the router. Pings, the largest packets and large TCP segments,
// which the kernel cuts only after they have been wrapped, arrive whole.
func TestEncapsulations(t *testing.T) {
	t.Parallel()
	s := begin(t)
	var all []carried
	for _, underlay := range families {
		for _, n := range []struct {
			kind   overlay.NetworkKind
			e      overlay.Encapsulation
			inside []overlay.Family
		}{
			{overlay.Bridged, overlay.EncapGeneve, families}, {overlay.Routed, overlay.EncapGeneve, families},
			{overlay.Bridged, overlay.EncapGRE, families}, {overlay.Routed, overlay.EncapGRE, families},
		} {
			all = append(all, s.carry(len(all)+1, n.kind, n.e, underlay, n.inside))
		}
	}
	// One network has each of these.
	all = append(all,
		s.carry(len(all)+1, overlay.Routed, overlay.EncapIPIP, overlay.V6, families[:1]),
		s.carry(len(all)+2, overlay.Routed, overlay.EncapSIT, overlay.V4, families[1:]))
	s.settled()
	for _, n := range all {
		for _, f := range n.inside {
			n.each(func(ctx context.Context, from, to *workload) error {
				target := to.address(f).String()
				return errors.Join(ping(ctx, from.Namespace, target, unbroken(f, n.mtu)...),
					tooLarge(ctx, from.Namespace, target, f, n.mtu))
			})
			n.transfers(f, n.all[0], n.all[2])
			n.transfers(f, n.all[2], n.all[1])
		}
	}
	s.a.try("network create another --kind routed --encapsulation ipip --subnet 10.99.0.0/16").refused(t, 5, "encapsulation ipip", "is taken by network")
}

// carried is a network whose packets have an encapsulation.
type carried struct {
	network
	name   string
	inside []overlay.Family
}

// carry makes a network and attaches a workload on every host.
func (s *session) carry(number int, kind overlay.NetworkKind, e overlay.Encapsulation, underlay overlay.Family, inside []overlay.Family, flags ...string) carried {
	s.t.Helper()
	name := fmt.Sprintf("%s-%.1s-%s", e, kind, underlay)
	subnets := ""
	for _, f := range inside {
		if f == overlay.V4 {
			subnets += fmt.Sprintf(" --subnet 10.%d.0.0/16", number)
		} else {
			subnets += fmt.Sprintf(" --subnet6 fd00:%d::/48", number)
		}
	}
	s.a.weft("network create %s --kind %s --encapsulation %s --underlay %s%s %s", name, kind, e, underlay, subnets, strings.Join(flags, " "))
	room, err := encap.PortMTU(e, kind, underlay, defaultMTU, inside...)
	if err != nil {
		s.t.Fatal(err)
	}
	return carried{network{s.t, kind, room, s.attachEverywhere(name)}, name, inside}
}

// transfers fails the test unless what one workload sends another over TCP arrives as it
// was sent.
func (n carried) transfers(f overlay.Family, from, to *workload) {
	n.Helper()
	if err := transfer(from, to, netip.AddrPortFrom(to.address(f), 0)); err != nil {
		n.Errorf("%s: TCP from %s to %s: %v", n.name, from.name, to.name, err)
	}
}

func transfer(from, to *workload, at netip.AddrPort) error {
	data := make([]byte, 4<<20)
	if _, err := rand.NewChaCha8([32]byte{7}).Read(data); err != nil {
		return err
	}
	var listener net.Listener
	if err := to.Do(func() (err error) {
		listener, err = net.Listen("tcp", at.String())
		return err
	}); err != nil {
		return err
	}
	defer listener.Close()
	var sender net.Conn
	if err := from.Do(func() (err error) {
		sender, err = net.DialTimeout("tcp", listener.Addr().String(), patience)
		return err
	}); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := sender.Write(data)
		sent <- errors.Join(err, sender.Close())
	}()
	receiver, err := listener.Accept()
	if err != nil {
		return errors.Join(err, sender.Close(), <-sent)
	}
	defer receiver.Close()
	err = receiver.SetReadDeadline(time.Now().Add(patience))
	got := sha256.New()
	size, readErr := io.Copy(got, receiver)
	want := sha256.Sum256(data)
	if !bytes.Equal(got.Sum(nil), want[:]) {
		err = errors.Join(err, fmt.Errorf("%d bytes of %d arrived as they were sent", size, len(data)))
	}
	if readErr != nil {
		return errors.Join(err, readErr, sender.Close())
	}
	return errors.Join(err, <-sent)
}
