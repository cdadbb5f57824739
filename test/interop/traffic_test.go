package interop

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
)

// patience is how long a packet may take: a peer may have to ask for the way first.
const patience = 20 * time.Second

// headersOf are the lengths of a ping's headers.
var headersOf = map[overlay.Family]int{
	overlay.V4: packet.IPv4MinLen + packet.ICMPLen, overlay.V6: packet.IPv6Len + packet.ICMPLen,
}

// ping fails the test unless one workload gets an answer from the other, to a small packet and
// to the largest one of the network, which nobody may take to pieces.
func (p *pair) ping(from, to *host, f overlay.Family) {
	p.Helper()
	for _, size := range []int{100, p.network(from).MTU} {
		// The first packets may be lost while a peer asks where the other is.
		testenv.Run(p, from.workload, "ping", "-nq", "-c1", "-i0.2", "-w", strconv.Itoa(int(patience.Seconds())),
			"-Mdo", "-s", strconv.Itoa(size-headersOf[f]), p.address(to, f).String())
	}
}

// volume is how much is sent over TCP, in bytes: enough for windows larger than a segment.
const volume = 512 << 10

// transfer fails the test unless what one workload sends the other over TCP arrives as it was
// sent.
func (p *pair) transfer(from, to *host, f overlay.Family) {
	p.Helper()
	if err := transfer(from.workload, to.workload, netip.AddrPortFrom(p.address(to, f), 0)); err != nil {
		p.Errorf("TCP from %s to %s over %s: %v", from.name, to.name, f, err)
	}
}

// transfer sends from one namespace to an address in the other.
func transfer(from, to string, at netip.AddrPort) error {
	var listener net.Listener
	if err := netns.Do(to, func() (err error) {
		listener, err = net.Listen("tcp", at.String())
		return err
	}); err != nil {
		return err
	}
	defer listener.Close()
	var sender net.Conn
	if err := netns.Do(from, func() (err error) {
		sender, err = net.DialTimeout("tcp", listener.Addr().String(), patience)
		return err
	}); err != nil {
		return err
	}
	receiver, err := listener.Accept()
	if err != nil {
		return errors.Join(err, sender.Close())
	}
	defer receiver.Close()
	data := make([]byte, volume)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	deadline := time.Now().Add(patience)
	if err := errors.Join(sender.SetDeadline(deadline), receiver.SetDeadline(deadline)); err != nil {
		return errors.Join(err, sender.Close())
	}
	sent := make(chan error, 1)
	go func() {
		_, err := sender.Write(data)
		sent <- errors.Join(err, sender.Close())
	}()
	got := sha256.New()
	size, err := io.Copy(got, receiver)
	if want := sha256.Sum256(data); !bytes.Equal(got.Sum(nil), want[:]) {
		err = errors.Join(err, fmt.Errorf("%d bytes of %d arrived as they were sent", size, len(data)))
	}
	return errors.Join(err, <-sent)
}
