package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestUDP: a network in flannel's udp encapsulation is on the user plane, whose forwarder is a
// process beside the agent. It goes on when agents are killed, and is the same when they come back
// (that no packet is lost, dataplane/user tests); one that is killed is replaced; and weft down ends it.
func TestUDP(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ss")
	s := begin(t)
	n := s.carry(1, overlay.Routed, overlay.EncapUDP, overlay.V4, families)
	six := s.carry(2, overlay.Routed, overlay.EncapUDP, overlay.V6, families, "--port 8286")
	s.a.try("network create other --kind routed --encapsulation udp --subnet 10.99.0.0/16").refused(t, 5, "encapsulation udp", "is taken by network")
	s.settled()
	for _, n := range []carried{n, six} {
		for _, f := range families {
			n.each(func(ctx context.Context, from, to *workload) error {
				target := to.address(f).String()
				return errors.Join(ping(ctx, from.Namespace, target, unbroken(f, n.mtu)...),
					tooLarge(ctx, from.Namespace, target, f, n.mtu))
			})
			n.transfers(f, n.all[0], n.all[2])
		}
	}
	if shown := s.a.weft("network show %s", n.name); !strings.Contains(shown, "user (auto: the only plane that does encapsulation udp)") {
		t.Errorf("network show:\n%s", shown)
	}

	was := s.b.forwarder()
	for _, h := range s.hosts() {
		h.kill()
	}
	n.transfers(overlay.V6, n.all[0], n.all[1]) // with no agent anywhere
	for _, h := range s.hosts() {
		h.restart()
	}
	s.settled()
	if now := s.b.forwarder(); was == nil || now == nil || now.Pid != was.Pid {
		t.Fatalf("the forwarder was %+v and is %+v", was, now)
	}
	if err := was.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	testenv.Eventually(t, patience, func() error {
		if now := s.b.forwarder(); now == nil || now.Pid == was.Pid {
			return errors.New("there is no other")
		}
		return nil
	}, "another forwarder")
	n.transfers(overlay.V4, n.all[0], n.all[1])
	t.Logf("a stream had passed %v after the forwarder was killed", time.Since(killed))
	s.settled()

	s.tunnelled(t)
	s.b.kill()
	s.b.weft("down")
	if p := s.b.forwarder(); p != nil {
		t.Errorf("after weft down, process %d", p.Pid)
	}
	left, err := filepath.Glob(filepath.Join(s.b.Dir(), "run", "forward.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("after weft down: %v, %v", left, err)
	}
}

// tunnelled: a and b, each a stranger to the other, have a tunnel in mode udp, an interface of
// the host's.
func (s *session) tunnelled(t *testing.T) {
	t.Helper()
	at := func(h *host) string { return h.Machine().NICs[0].Addresses[0].Addr().String() }
	s.a.weft("tunnel add site --mode udp --port 9000 --remote %s --addr 10.50.0.1/24", at(s.b))
	s.a.weft("tunnel add site2 --node b --mode udp --port 9000 --remote %s --addr 10.50.0.2/24", at(s.a))
	testenv.Eventually(t, patience, func() error {
		_, err := s.a.Run(t.Context(), "ping", "-n", "-c1", "-W1", "10.50.0.2")
		return err
	}, "the tunnel answers")
	s.a.weft("tunnel rm site")
	s.a.weft("tunnel rm site2")
}

// forwarder is the process that has the host's UDP ports of the encapsulation; nil if there is none.
func (h *host) forwarder() *os.Process {
	h.s.t.Helper()
	var out []byte
	if err := h.Do(func() (err error) {
		out, err = exec.Command("ss", "-lunpH", "sport", "=", ":8285").Output()
		return err
	}); err != nil {
		h.s.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(out), "pid=")
	if !ok {
		return nil
	}
	number, _, _ := strings.Cut(rest, ",")
	pid, err := strconv.Atoi(number)
	if err != nil {
		h.s.t.Fatal(err)
	}
	p, err := os.FindProcess(pid)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.s.t.Fatal(fmt.Errorf("find process %d: %w", pid, err))
	}
	return p
}
