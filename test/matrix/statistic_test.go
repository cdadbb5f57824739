package matrix

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"weft/internal/netns"
	"weft/overlay"
)

// statistic is one of the kernel's, of a device or of the host.
type statistic string

const (
	// rxOrder is of what a tunnel's device has refused (net/ipv4/ip_tunnel.c, ip_tunnel_rcv), txErrors
	// of what it did not send.
	rxOrder  statistic = "rx_fifo_errors"
	txErrors statistic = "tx_errors"
	// udpChecksums is the host's, of UDP.
	udpChecksums statistic = "InCsumErrors"
)

func (s statistic) String() string {
	if s == udpChecksums {
		return "the kernel's: the host's UDP statistic InCsumErrors counts it"
	}
	return "the kernel's: the device's statistic " + string(s) + " counts it"
}

// read is what the host has counted by now.
func (s statistic) read(ns, device string, over overlay.Family) (n uint64, err error) {
	err = netns.Do(ns, func() error {
		if s == udpChecksums {
			n, err = udpInCsumErrors(over)
			return err
		}
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		all := link.Attrs().Statistics
		n = map[statistic]uint64{rxOrder: all.RxFifoErrors, txErrors: all.TxErrors}[s]
		return nil
	})
	return n, err
}

// udpInCsumErrors reads what netstat shows: a line of names and one of numbers, or, for IPv6, a name
// and a number in each line.
func udpInCsumErrors(over overlay.Family) (uint64, error) {
	if over == v6 {
		text, err := os.ReadFile("/proc/thread-self/net/snmp6")
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) == 2 && words[0] == "Udp6InCsumErrors" {
				return strconv.ParseUint(words[1], 10, 64)
			}
		}
		return 0, fmt.Errorf("there is no Udp6InCsumErrors: %w", err)
	}
	text, err := os.ReadFile("/proc/thread-self/net/snmp")
	var names []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "Udp:" {
			continue
		}
		for i, name := range names {
			if name == string(udpChecksums) {
				return strconv.ParseUint(words[i], 10, 64)
			}
		}
		names = words
	}
	return 0, fmt.Errorf("there is no %s: %w", udpChecksums, err)
}
