// Package api is how the parts of Weft speak to each other: resources over
// HTTPS between agents, people and servers, and (in agentapi) a node's own
// requests over a unix socket.
//
// The server keeps nothing that a store does not: it checks who asks (see
// identity) and whether they may, fills in what requests leave open (addresses,
// MACs, VNIs, blocks), refuses changes that cannot be made, and passes the rest
// on. The client is a store.Store again, held to storetest like the others. So
// whoever is written against a Store works in memory, beside etcd and here.
//
// One table of routes (routes.go) makes both the server and the OpenAPI document.
// One type, Error, carries every refusal; on the client's side it unwraps to
// the store's own typed error.
package api
