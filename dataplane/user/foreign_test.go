package user

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// foreign is a peer that knows nothing of Weft: flannel's udp backend in small, written after
// backend/udp/proxy_amd64.c. All that its TUN link has goes to one node, as it is, in UDP from
// port 8285 to port 8285, and what comes to that port goes into the link.
type foreign struct {
	ns string
	at netip.Addr // inside
}

func newForeign(t *testing.T, ns string, at, network netip.Prefix, local, node netip.Addr) foreign {
	t.Helper()
	var fd int
	var socket *net.UDPConn
	if err := netns.Do(ns, func() (err error) {
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return err
		}
		request, err := unix.NewIfreq("flannel0")
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return err
		}
		socket, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 8285)))
		return errors.Join(err, unix.SetNonblock(fd, true))
	}); err != nil {
		t.Fatal(err)
	}
	link := os.NewFile(uintptr(fd), "flannel0")
	testenv.Run(t, ns, "ip", "address", "add", at.String(), "dev", "flannel0", "nodad")
	testenv.Run(t, ns, "ip", "link", "set", "flannel0", "up", "mtu", "1400")
	testenv.Run(t, ns, "ip", "route", "add", network.String(), "dev", "flannel0")
	done := make(chan struct{}, 2)
	go func() {
		for b := make([]byte, 1<<16); ; {
			n, err := link.Read(b)
			if err != nil {
				break
			}
			_, _ = socket.WriteToUDPAddrPort(b[:n], netip.AddrPortFrom(node, 8285)) // a datagram may be lost
		}
		done <- struct{}{}
	}()
	go func() {
		for b := make([]byte, 1<<16); ; {
			n, _, err := socket.ReadFromUDPAddrPort(b)
			if err != nil {
				break
			}
			_, _ = link.Write(b[:n])
		}
		done <- struct{}{}
	}()
	t.Cleanup(func() {
		if err := errors.Join(link.Close(), socket.Close()); err != nil {
			t.Error(err)
		}
		<-done
		<-done
	})
	return foreign{ns, at.Addr()}
}
