package user

import "net/netip"

// queue is where packets come in and go out: a TUN link's, or a socket. Reading is for one
// goroutine, writing for any number. Close ends a Read.
type queue interface {
	// read waits for packets and fills in as many datagrams as there are, at least one, and
	// says how many. It is an error when no more can come.
	read(into []datagram) (int, error)
	// write writes them all, or says of the first that could not be written how many were.
	write(all []datagram) (int, error)
	Close() error
}

// datagram is an IP packet on its way. Who read it owns its bytes until it has been written.
type datagram struct {
	// packet is what there is of room.
	room, packet []byte
	// peer is who sent it, or is to get it, and tos that of the packet outside; both mean
	// nothing at a TUN link.
	peer netip.Addr
	port uint16
	tos  uint8
}

// batchSize is how many packets are read at once: one per call.
const batchSize = 1

// maxPacket is the largest that a TUN link or UDP has, in bytes.
const maxPacket = 1 << 16

func newBatch() []datagram {
	batch := make([]datagram, batchSize)
	for i := range batch {
		batch[i].room = make([]byte, maxPacket)
	}
	return batch
}
