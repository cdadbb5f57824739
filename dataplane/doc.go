// Package dataplane says what a node's forwarding should be, whatever does it.
//
// State is plane-independent: networks with their ports, remote stations,
// neighbours, members and routes. A Plane makes the host match it: it lowers
// State to its own objects, compares them with what it observes, and changes
// the difference. One State on any plane gives the same deliveries; the suite
// in dataplanetest holds that.
//
// State and Delta are values: no I/O, no clock. A Delta is never changed again
// once somebody has it, and neither are the slices in a State. The maps of a
// State are lent: to a Plane until Apply returns, by a planner until it plans
// again. For one endpoint among 100,000 a planner changes one entry in place;
// copying the map first would take a hundred times as long. Who keeps a State
// keeps a Clone, and brings that up to date with Update.
//
// Do not add anything that only one plane knows: that belongs to the plane's
// lowering.
package dataplane
