// Package dataplane says what a node's forwarding should be, whatever does it.
//
// State is plane-independent: networks with their ports, remote stations,
// neighbours, members and routes. A Plane makes the host match it: it lowers
// State to its own objects, compares them with what it observes, and changes
// the difference. One State on any plane gives the same deliveries; the suite
// in dataplanetest holds that.
//
// State and Delta are values: no I/O, no clock. A State that was handed to
// somebody is never changed again. Do not add anything that only one plane
// knows: that belongs to the plane's lowering.
package dataplane
