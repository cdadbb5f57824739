package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/internal/testenv"
	"weft/overlay"
)

// traffic flows between all workloads of a network until it is stopped: from each
// to each 1,000 numbered UDP packets per second, and a TCP stream.
type traffic struct {
	t    *testing.T
	all  []*workload
	stop context.CancelFunc
	// sending ends when it is stopped, receiving when the sockets are closed.
	sending, receiving errgroup.Group
	sockets            []io.Closer
	flows              []*flow
}

const (
	trafficPort = 5001
	packetEvery = time.Millisecond
	// chunk is what a TCP stream carries every chunkEvery, in bytes.
	chunk      = 8 << 10
	chunkEvery = 20 * time.Millisecond
	// roomy is a receive buffer for some seconds of packets, in bytes.
	roomy = 16 << 20
)

// flow is what goes from one workload to another: packets, or bytes.
type flow struct {
	name           string
	sent, received atomic.Uint64
}

func (f *flow) String() string {
	return fmt.Sprintf("%s: %d received of %d", f.name, f.received.Load(), f.sent.Load())
}

func (tr *traffic) flow(format string, args ...any) *flow {
	f := &flow{name: fmt.Sprintf(format, args...)}
	tr.flows = append(tr.flows, f)
	return f
}

// startTraffic returns when everybody has heard from everybody: UDP over the one
// family, TCP over the other.
func startTraffic(t *testing.T, udp, tcp overlay.Family, all []*workload) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	tr := &traffic{t: t, all: all, stop: stop}
	t.Cleanup(tr.close)
	if err := tr.startUDP(ctx, udp); err != nil {
		t.Fatal(err)
	}
	if err := tr.startTCP(ctx, tcp); err != nil {
		t.Fatal(err)
	}
	for _, f := range tr.flows {
		testenv.Eventually(t, patience, func() error {
			if f.received.Load() == 0 {
				return errors.New("nothing received")
			}
			return nil
		}, f.name)
	}
	return tr
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

// lostNothing stops the traffic, and fails the test unless every packet and byte that
// was sent has come. An error in sending is one in the test, too.
func (tr *traffic) lostNothing() {
	tr.t.Helper()
	tr.stop()
	if err := tr.sending.Wait(); err != nil {
		tr.t.Fatal(err)
	}
	tr.arrives("")
	for _, w := range tr.all {
		if dropped, err := w.dropped(); err != nil || dropped != "" {
			tr.t.Errorf("%s: its sockets dropped %s, %v", w.name, dropped, err)
		}
	}
}

// stays stops the traffic, and fails the test unless every byte that was sent over TCP has
// come. Packets may be lost.
func (tr *traffic) stays() {
	tr.t.Helper()
	tr.stop()
	if err := tr.sending.Wait(); err != nil {
		tr.t.Fatal(err)
	}
	tr.arrives("TCP")
	for _, f := range tr.flows {
		tr.t.Log(f)
	}
}

// lostAtMost is stays, and fails the test if more packets of a flow than that have not come.
func (tr *traffic) lostAtMost(most uint64) {
	tr.t.Helper()
	tr.stays()
	for _, f := range tr.flows {
		testenv.Eventually(tr.t, patience, func() error {
			if f.received.Load()+most < f.sent.Load() {
				return errors.New(f.String())
			}
			return nil
		}, "nearly all arrives")
	}
}

// arrives fails the test unless all flows whose name begins so come to their end.
func (tr *traffic) arrives(prefix string) {
	tr.t.Helper()
	for _, f := range tr.flows {
		testenv.Eventually(tr.t, patience, func() error {
			if strings.HasPrefix(f.name, prefix) && f.received.Load() != f.sent.Load() {
				return errors.New(f.String())
			}
			return nil
		}, "all arrives")
	}
}

// startUDP opens a socket in each workload, which sends to all others.
func (tr *traffic) startUDP(ctx context.Context, f overlay.Family) error {
	sockets := make([]*net.UDPConn, len(tr.all))
	for i, w := range tr.all {
		err := w.Do(func() (err error) {
			sockets[i], err = net.ListenUDP("udp", &net.UDPAddr{Port: trafficPort})
			return err
		})
		if err != nil {
			return err
		}
		tr.sockets = append(tr.sockets, sockets[i])
		if err := sockets[i].SetReadBuffer(roomy); err != nil {
			return err
		}
	}
	// flows[i][j] goes from workload i to workload j.
	flows := make([][]*flow, len(tr.all))
	for i, from := range tr.all {
		flows[i] = make([]*flow, len(tr.all))
		for j, to := range tr.all {
			if i != j {
				flows[i][j] = tr.flow("UDP packets over IP%s from %s to %s", f, from.name, to.name)
			}
		}
	}
	for i := range tr.all {
		tr.sending.Go(func() error { return tr.sendUDP(ctx, sockets[i], f, byte(i), flows[i]) })
		tr.receiving.Go(func() error { return receiveUDP(sockets[i], i, flows) })
	}
	return nil
}

// sendUDP sends as many packets as are due, to each workload. A packet is the
// sender's number, and its own.
func (tr *traffic) sendUDP(ctx context.Context, socket *net.UDPConn, f overlay.Family, self byte, flows []*flow) error {
	tick := time.NewTicker(packetEvery)
	defer tick.Stop()
	for n, began := uint64(0), time.Now(); ; {
		for ; n < uint64(time.Since(began)/packetEvery); n++ {
			packet := binary.BigEndian.AppendUint64([]byte{self}, n)
			for j, to := range tr.all {
				if flows[j] == nil {
					continue
				}
				if _, err := socket.WriteToUDPAddrPort(packet, netip.AddrPortFrom(to.address(f), trafficPort)); err != nil {
					return fmt.Errorf("%s: packet %d: %w", flows[j].name, n, err)
				}
				flows[j].sent.Add(1)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// receiveUDP counts what comes to workload self, each packet once.
func receiveUDP(socket *net.UDPConn, self int, flows [][]*flow) error {
	seen := make([]map[uint64]bool, len(flows))
	for i := range seen {
		seen[i] = map[uint64]bool{}
	}
	packet := make([]byte, 64)
	for {
		n, err := socket.Read(packet)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if n != 9 || int(packet[0]) >= len(flows) || int(packet[0]) == self {
			return fmt.Errorf("a packet that nobody sent: %x", packet[:n])
		}
		from, number := packet[0], binary.BigEndian.Uint64(packet[1:])
		if !seen[from][number] {
			seen[from][number] = true
			flows[from][self].received.Add(1)
		}
	}
}

// startTCP connects each pair of workloads; both ends send.
func (tr *traffic) startTCP(ctx context.Context, f overlay.Family) error {
	for i, b := range tr.all {
		var listener net.Listener
		err := b.Do(func() (err error) {
			listener, err = net.Listen("tcp", netip.AddrPortFrom(b.address(f), trafficPort).String())
			return err
		})
		if err != nil {
			return err
		}
		defer listener.Close()
		for _, a := range tr.all[:i] {
			if err := tr.connect(ctx, a, b, listener); err != nil {
				return fmt.Errorf("TCP from %s to %s: %w", a.name, b.name, err)
			}
		}
	}
	return nil
}

func (tr *traffic) connect(ctx context.Context, a, b *workload, listener net.Listener) error {
	var ends [2]net.Conn
	err := a.Do(func() (err error) {
		ends[0], err = net.DialTimeout("tcp", listener.Addr().String(), patience)
		return err
	})
	if err != nil {
		return err
	}
	tr.sockets = append(tr.sockets, ends[0])
	if ends[1], err = listener.Accept(); err != nil {
		return err
	}
	tr.sockets = append(tr.sockets, ends[1])
	names := [2]string{a.name, b.name}
	for i := range ends {
		fl := tr.flow("TCP bytes from %s to %s", names[i], names[1-i])
		tr.sending.Go(func() error { return sendTCP(ctx, ends[i], fl) })
		tr.receiving.Go(func() error { return receiveTCP(ends[1-i], fl) })
	}
	return nil
}

func sendTCP(ctx context.Context, c net.Conn, f *flow) error {
	tick := time.NewTicker(chunkEvery)
	defer tick.Stop()
	for data := make([]byte, chunk); ; {
		n, err := c.Write(data)
		f.sent.Add(uint64(n))
		if err != nil {
			return fmt.Errorf("%v: %w", f, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func receiveTCP(c net.Conn, f *flow) error {
	for data := make([]byte, chunk); ; {
		n, err := c.Read(data)
		f.received.Add(uint64(n))
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
			return nil // the end of the traffic, which has counted
		case err != nil:
			return fmt.Errorf("%v: %w", f, err)
		}
	}
}
