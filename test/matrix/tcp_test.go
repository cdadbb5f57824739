package matrix

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weft/internal/netns"
)

// volume is how much goes over TCP, in bytes: enough for windows larger than a segment. data is
// what.
const volume = 64 << 10

var data = func() []byte {
	b := make([]byte, volume)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}()

// Far ends serve these ports: what is sent to the one is answered with its sum, and the other
// sends data.
const (
	sinkPort   = 5001
	sourcePort = 5002
)

// serve has a namespace serve them, until the test ends.
func serve(t testing.TB, ns string) {
	t.Helper()
	for port, answer := range map[int]func(net.Conn) error{
		sinkPort: func(c net.Conn) error {
			sum := sha256.New()
			_, err := io.Copy(sum, c)
			_, said := fmt.Fprintln(c, hex.EncodeToString(sum.Sum(nil)))
			return errors.Join(err, said)
		},
		sourcePort: func(c net.Conn) error {
			_, err := c.Write(data)
			return err
		},
	} {
		var listener net.Listener
		if err := netns.Do(ns, func() (err error) {
			listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := listener.Accept()
				if err != nil {
					return // it was closed
				}
				// Who fails is seen at the other end.
				_ = errors.Join(c.SetDeadline(time.Now().Add(patience)), answer(c), c.Close())
			}
		}()
		t.Cleanup(func() {
			check(t, listener.Close())
			<-done
		})
	}
}

// transfer sends and fetches the data from a namespace, by a device there, and says whether what
// was sent left that in pieces which are cut behind it.
func transfer(ns, device string, to netip.Addr) (whole bool, err error) {
	before, err := sentBy(ns, device)
	if err != nil {
		return false, err
	}
	if err := dial(ns, netip.AddrPortFrom(to, sinkPort), send); err != nil {
		return false, fmt.Errorf("TCP to %s: %w", to, err)
	}
	after, err := sentBy(ns, device)
	if err != nil {
		return false, err
	}
	if err := dial(ns, netip.AddrPortFrom(to, sourcePort), fetch); err != nil {
		return false, fmt.Errorf("TCP from %s: %w", to, err)
	}
	return after.bytes-before.bytes >= (after.packets-before.packets)*underlayMTU, nil
}

func send(c *net.TCPConn) error {
	_, err := c.Write(data)
	if err := errors.Join(err, c.CloseWrite()); err != nil {
		return err
	}
	got, err := io.ReadAll(c)
	want := sha256.Sum256(data)
	if sum, _, _ := strings.Cut(strings.TrimSpace(string(got)), " "); sum != hex.EncodeToString(want[:]) {
		err = errors.Join(err, fmt.Errorf("something else came, whose sum is %q", sum))
	}
	return err
}

func fetch(c *net.TCPConn) error {
	got, err := io.ReadAll(c)
	if !bytes.Equal(got, data) {
		err = errors.Join(err, fmt.Errorf("%d bytes of %d came, or others", len(got), len(data)))
	}
	return err
}

// dial connects to a port of the peer's.
func dial(ns string, to netip.AddrPort, talk func(*net.TCPConn) error) error {
	var c net.Conn
	if err := netns.Do(ns, func() (err error) {
		c, err = net.DialTimeout("tcp", to.String(), patience)
		return err
	}); err != nil {
		return err
	}
	return errors.Join(c.SetDeadline(time.Now().Add(patience)), talk(c.(*net.TCPConn)), c.Close())
}

// sent is what has left a device.
type sent struct{ bytes, packets uint64 }

func sentBy(ns, device string) (s sent, err error) {
	err = netns.Do(ns, func() error {
		l, err := netlink.LinkByName(device)
		if err == nil {
			s = sent{l.Attrs().Statistics.TxBytes, l.Attrs().Statistics.TxPackets}
		}
		return err
	})
	return s, err
}
