package rotation

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/internal/testenv"
)

// traffic is numbered UDP packets from each workload to each other, over IPv4 and
// IPv6, as long as it flows.
type traffic struct {
	t                  *testing.T
	all                []*workload
	stop               context.CancelFunc
	sending, receiving errgroup.Group
	sockets            []*net.UDPConn
	// sent and received count packets by who sends, who receives, and which of
	// the addresses.
	sent, received [][][2]atomic.Uint64
}

const (
	trafficPort = 5001
	// pace is seldom enough to cost next to nothing, and far more often than
	// anything that renews a certificate could hide between two packets.
	pace = 50 * time.Millisecond
)

// startTraffic returns when everybody has heard from everybody.
func startTraffic(t *testing.T, all []*workload) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	tr := &traffic{t: t, all: all, stop: stop, sent: counters(len(all)), received: counters(len(all))}
	t.Cleanup(tr.close)
	for _, w := range all {
		err := w.Do(func() error {
			socket, err := net.ListenUDP("udp", &net.UDPAddr{Port: trafficPort})
			tr.sockets = append(tr.sockets, socket)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range all {
		tr.sending.Go(func() error { return tr.send(ctx, i) })
		tr.receiving.Go(func() error { return tr.receive(i) })
	}
	testenv.Eventually(t, patience, func() error {
		return tr.each(func(sent, received uint64) bool { return received > 0 })
	}, "everybody hears from everybody")
	return tr
}

func counters(n int) [][][2]atomic.Uint64 {
	c := make([][][2]atomic.Uint64, n)
	for i := range c {
		c[i] = make([][2]atomic.Uint64, n)
	}
	return c
}

// send sends a packet to everybody at each tick: the sender, which address, and a
// number.
func (tr *traffic) send(ctx context.Context, self int) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := uint64(1); ; n++ {
		for i, to := range tr.all {
			for j, address := range to.addresses {
				if i == self {
					continue
				}
				packet := binary.BigEndian.AppendUint64([]byte{byte(self), byte(j)}, n)
				if _, err := tr.sockets[self].WriteToUDPAddrPort(packet, netip.AddrPortFrom(address, trafficPort)); err != nil {
					return fmt.Errorf("%s to %s: packet %d: %w", tr.all[self].name, to.name, n, err)
				}
				tr.sent[self][i][j].Add(1)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// receive counts packets, each once.
func (tr *traffic) receive(self int) error {
	seen := map[[10]byte]bool{}
	packet := make([]byte, 64)
	for {
		n, err := tr.sockets[self].Read(packet)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		case n != 10 || int(packet[0]) >= len(tr.all) || packet[1] > 1:
			return fmt.Errorf("%s: a packet that nobody sent: %x", tr.all[self].name, packet[:n])
		}
		if which := [10]byte(packet); !seen[which] {
			seen[which] = true
			tr.received[packet[0]][self][packet[1]].Add(1)
		}
	}
}

// each returns nil if all counters are well.
func (tr *traffic) each(well func(sent, received uint64) bool) error {
	for i, from := range tr.all {
		for j, to := range tr.all {
			for k := range to.addresses {
				if sent, received := tr.sent[i][j][k].Load(), tr.received[i][j][k].Load(); i != j && !well(sent, received) {
					return fmt.Errorf("%s to %v of %s: %d received of %d", from.name, to.addresses[k], to.name, received, sent)
				}
			}
		}
	}
	return nil
}

// lostNothing stops the traffic, and fails the test unless every packet has come.
func (tr *traffic) lostNothing() {
	tr.t.Helper()
	tr.stop()
	if err := tr.sending.Wait(); err != nil {
		tr.t.Fatal(err)
	}
	testenv.Eventually(tr.t, patience, func() error {
		return tr.each(func(sent, received uint64) bool { return sent == received })
	}, "all arrives")
}

// close ends the traffic.
func (tr *traffic) close() {
	tr.stop()
	err := tr.sending.Wait()
	for _, s := range tr.sockets {
		err = errors.Join(err, s.Close())
	}
	if err = errors.Join(err, tr.receiving.Wait()); err != nil {
		tr.t.Error(err)
	}
}
