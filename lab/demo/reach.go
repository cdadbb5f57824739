package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/overlay"
)

// reach is what became of a probe from one workload to another.
type reach struct {
	// answered is who answered; empty: nobody did.
	answered string
	took     time.Duration
}

// patience is how long a probe waits: far longer than any answer takes here.
const patience = 700 * time.Millisecond

// showReach asks every workload from every other, over each family, and
// prints who answered and how fast.
func (d *demo) showReach(ctx context.Context) (err error) {
	var answering errgroup.Group
	var sockets []*net.UDPConn
	defer func() {
		for _, c := range sockets {
			err = errors.Join(err, c.Close())
		}
		err = errors.Join(err, answering.Wait())
	}()
	for _, w := range d.workloads {
		conn, err := w.listen()
		if err != nil {
			return err
		}
		sockets = append(sockets, conn)
		answering.Go(func() error { return w.answer(conn) })
	}
	return d.matrices(ctx)
}

func (d *demo) matrices(ctx context.Context) error {
	for _, f := range []overlay.Family{overlay.V4, overlay.V6} {
		results, err := d.askAll(ctx, f)
		if err != nil {
			return err
		}
		if len(results) == 0 {
			continue
		}
		d.title("Who reaches whom over IP" + string(f) + ": round trip in ms")
		d.printMatrix(results)
		if err := d.judge(f, results); err != nil {
			return err
		}
	}
	return nil
}

type pair struct{ from, to *workload }

// tries is how often somebody inside the same network is asked who does not answer:
// on a busy machine the last attachment may still be on its way to the other hosts.
const tries = 8

// crowd is how many ask at a time inside networks: few enough that the round trips
// are the network's. Across networks nobody answers, and all wait together.
const crowd = 8

// askAll asks from everybody to everybody.
func (d *demo) askAll(ctx context.Context, f overlay.Family) (map[pair]reach, error) {
	inside, err := d.askSome(ctx, f, crowd, func(p pair) bool { return p.from.network == p.to.network })
	if err != nil {
		return nil, err
	}
	across, err := d.askSome(ctx, f, -1, func(p pair) bool { return p.from.network != p.to.network })
	maps.Copy(inside, across)
	return inside, err
}

// askSome asks, for those pairs, as many at a time as the limit says; -1: all.
func (d *demo) askSome(ctx context.Context, f overlay.Family, limit int, these func(pair) bool) (map[pair]reach, error) {
	var mu sync.Mutex
	results := map[pair]reach{}
	var g errgroup.Group
	g.SetLimit(limit)
	for _, from := range d.workloads {
		for _, to := range d.workloads {
			a, ok := to.address(f)
			if from == to || !ok || !these(pair{from, to}) {
				continue
			}
			g.Go(func() error {
				r, err := from.ask(ctx, netip.AddrPortFrom(a, probePort), to.name)
				for n := 1; n < tries && err == nil && r.answered == "" && from.network == to.network; n++ {
					r, err = from.ask(ctx, netip.AddrPortFrom(a, probePort), to.name)
				}
				mu.Lock()
				defer mu.Unlock()
				results[pair{from, to}] = r
				return err
			})
		}
	}
	return results, g.Wait()
}

// ask sends a question to an address and waits for an answer; the second of
// two counts, so that the first can wake caches up.
func (w *workload) ask(ctx context.Context, to netip.AddrPort, wanted string) (reach, error) {
	var conn *net.UDPConn
	if err := w.ns.Do(func() (err error) {
		conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		return err
	}); err != nil {
		return reach{}, nil // no route: that is an answer too
	}
	defer conn.Close()
	var r reach
	for range 2 {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r = question(conn, w.name+"→"+wanted)
		if r.answered == "" {
			return r, nil
		}
	}
	return r, nil
}

func question(conn *net.UDPConn, text string) reach {
	sent := time.Now()
	if _, err := conn.Write([]byte(text)); err != nil {
		return reach{}
	}
	if err := conn.SetReadDeadline(sent.Add(patience)); err != nil {
		return reach{}
	}
	buf := make([]byte, 128)
	for {
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) || err != nil {
			return reach{}
		}
		if who, ok := strings.CutPrefix(string(buf[:n]), text+" "); ok {
			return reach{answered: who, took: time.Since(sent)}
		}
	}
}

// printMatrix prints a row for each workload: a time where the one meant
// answered, = where another one with the same address in the asker's own network
// did, · where nobody did.
func (d *demo) printMatrix(results map[pair]reach) {
	width := 0
	for _, w := range d.workloads {
		width = max(width, len(w.name))
	}
	d.text("%*s", width, "")
	for _, to := range d.workloads {
		d.text("  %*s", width, to.name)
	}
	d.text("\n")
	for _, from := range d.workloads {
		d.text("%-*s", width, from.name)
		for _, to := range d.workloads {
			d.text("  %*s", width, cell(from, to, results[pair{from, to}]))
		}
		d.text("\n")
	}
	d.text("a time: that workload answered   =: its namesake in the asker's own network did   ·: nobody did\n")
}

func cell(from, to *workload, r reach) string {
	switch {
	case from == to:
		return ""
	case r.answered == to.name:
		return fmt.Sprintf("%.2f", float64(r.took.Microseconds())/1000)
	case r.answered != "":
		return "="
	}
	return "·"
}

// judge says what the matrix means, and fails where it is not what was promised.
func (d *demo) judge(f overlay.Family, results map[pair]reach) error {
	inside, met := 0, 0
	var wrong []string
	for p, r := range results {
		same := p.from.network == p.to.network
		switch {
		case same && r.answered == p.to.name:
			inside++
		case same:
			wrong = append(wrong, fmt.Sprintf("%s does not reach %s", p.from.name, p.to.name))
		case r.answered == p.to.name:
			met++
			wrong = append(wrong, fmt.Sprintf("%s reaches %s", p.from.name, p.to.name))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("over IP%s: %s", f, strings.Join(wrong, "; "))
	}
	d.step("IP%s: all %d pairs inside a network reach each other; of the %d across networks none does", f, inside, len(results)-inside-met)
	return nil
}
