package stock

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// patience is how long a ping or a transfer may take.
const patience = time.Minute

// headersOf are the lengths of a ping's headers.
var headersOf = map[overlay.Family]int{
	v4: packet.IPv4MinLen + packet.ICMPLen, v6: packet.IPv6Len + packet.ICMPLen,
}

// limitLen is the length of a tunnel encapsulation limit.
const limitLen = 8

// ping fails the test unless either end gets an answer from the other, to a small packet and
// to the largest one, which nobody may take to pieces.
func (n network) ping(t *testing.T, p peer, f overlay.Family, mtu int) {
	t.Helper()
	there := mtu
	if n.limited {
		there -= limitLen
	}
	for _, size := range []int{100, mtu} {
		testenv.Run(t, n.workload, "sh", "-c", pingCommand(size-headersOf[f])+n.address(1, f).String())
	}
	for _, size := range []int{100, there} {
		p.Run(pingCommand(size-headersOf[f]) + n.address(0, f).String())
	}
}

func pingCommand(size int) string {
	return fmt.Sprintf("ping -nq -c1 -i0.2 -w%.0f -Mdo -s%d ", patience.Seconds(), size)
}

// transfer fails the test unless what goes over TCP either way arrives as it was sent.
func (n network) transfer(t *testing.T, f overlay.Family) {
	t.Helper()
	talker{n.workload, "eth0", n.address(1, f), true}.transfer(t)
}

// talker is somebody in a namespace who talks to the peer.
type talker struct {
	ns, device string
	peer       netip.Addr
	// whole: what he sends leaves the device in pieces that are cut behind it.
	whole bool
}

func (a talker) transfer(t *testing.T) {
	t.Helper()
	before := a.sent(t)
	want := sha256.Sum256(data)
	err := a.dial(sinkPort, func(c *net.TCPConn) error {
		_, err := c.Write(data)
		if err := errors.Join(err, c.CloseWrite()); err != nil {
			return err
		}
		got, err := io.ReadAll(c)
		if sum, _, _ := strings.Cut(string(got), " "); sum != hex.EncodeToString(want[:]) {
			err = errors.Join(err, fmt.Errorf("the peer got something else, whose sum is %q", sum))
		}
		return err
	})
	if err != nil {
		t.Errorf("TCP to %s: %v", a.peer, err)
	}
	after := a.sent(t)
	if bytes, packets := after.Bytes-before.Bytes, after.Packets-before.Packets; bytes >= packets*underlayMTU != a.whole {
		t.Errorf("%d bytes in %d packets to %s: are they cut behind the device? want %v", bytes, packets, a.peer, a.whole)
	}
	err = a.dial(sourcePort, func(c *net.TCPConn) error {
		got, err := io.ReadAll(c)
		if !bytes.Equal(got, data) {
			err = errors.Join(err, fmt.Errorf("%d bytes of %d came, or others", len(got), len(data)))
		}
		return err
	})
	if err != nil {
		t.Errorf("TCP from %s: %v", a.peer, err)
	}
}

// dial connects to a port of the peer's.
func (a talker) dial(port int, talk func(*net.TCPConn) error) error {
	var c net.Conn
	if err := netns.Do(a.ns, func() (err error) {
		c, err = net.DialTimeout("tcp", net.JoinHostPort(a.peer.String(), strconv.Itoa(port)), patience)
		return err
	}); err != nil {
		return err
	}
	return errors.Join(c.SetDeadline(time.Now().Add(patience)), talk(c.(*net.TCPConn)), c.Close())
}

// counters are of what a device has sent.
type counters struct{ Bytes, Packets uint64 }

// sent is what has left the device.
func (a talker) sent(t *testing.T) counters {
	t.Helper()
	var links []struct {
		Stats struct{ TX counters } `json:"stats64"`
	}
	out := testenv.Output(t, a.ns, "ip", "-j", "-s", "link", "show", a.device)
	if err := json.Unmarshal([]byte(out), &links); err != nil || len(links) != 1 {
		t.Fatalf("%s: %v", out, err)
	}
	return links[0].Stats.TX
}
