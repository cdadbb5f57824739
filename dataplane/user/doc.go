// Package user forwards in a process of its own, by TUN links and sockets: for
// encapsulations that neither the kernel nor programs in it do. It does udp, a bare IP packet
// in UDP, as flannel's udp backend has it.
//
// The links, their addresses and routes are dataplane/kernel's to make; what comes out of a TUN
// link has been routed, and is wrapped here. The way of a packet is Read → decide → Write:
// decide is pure, over tables that follow from the links' kernel.Carried and are replaced as a
// whole, so that a packet finds the old tables or the new ones. Queues (of TUN links, of sockets)
// read and write batches; these have one packet as long as nothing needs more.
//
// There are three ways to the same Engine. Serve runs it in the forwarder's process, which
// reads what to do from a file in the run directory, and is told to read it again, and asked
// for its counters, over a socket beside it. Forwarder is the agent's end of that: it
// writes the file, starts the process where there is none, and starts it again when it
// ends. The process goes on when the agent ends. Tests use an Engine as it is.
//
// Do not add anything to the process that can fail or block beside packets: while it is not
// there, nothing is forwarded.
package user
