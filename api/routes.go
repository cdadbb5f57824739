package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"weft/api/identity"
	"weft/overlay"
	"weft/store"
)

// route is one entry of the table that makes the server and its document.
type route struct {
	// id names the operation in the document.
	id, method, path string
	// summary is what the document says of it.
	summary string
	// roles are who may use it; nil is everybody, also without a certificate.
	roles []overlay.Role
	// early: also before the server knows its store, and whom that refuses.
	early bool
	// query are the parameters that it takes; others are refused.
	query []parameter
	// body and reply are of the types that go in and out; nil for none.
	body, reply any
	// media is the reply's type, where that is not JSON.
	media string
	// header tells the store's revision after a write.
	header []parameter
	serve  func(*Server, http.ResponseWriter, *http.Request, identity.Identity) error
}

// knows reports which parameter of a request the route does not have.
func (to route) knows(r *http.Request) error {
	if to.path == "" {
		return nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Invalid("", "read query: %v", err)
	}
	for name := range q {
		if !slices.ContainsFunc(to.query, func(p parameter) bool { return p.name == name }) {
			return Invalid("", "%s %s: parameter %.40q is unknown", r.Method, r.URL.Path, name)
		}
	}
	return nil
}

// parameter is one of a route's query.
type parameter struct{ name, says string }

var (
	expectParameter = parameter{"expect", "the resource's revision that the writer has seen: a number, absent or any [any]"}
	revisionAfter   = []parameter{{revisionHeader, "the store's revision after the write, INCARNATION@NUMBER"}}
	watchParameters = []parameter{
		{"kinds", "kinds to watch, separated by commas [all but tokens and revocations]"},
		{"networks", "networks to watch, with what belongs to them, separated by commas [all]"},
		{"node", "only this node's endpoints, blocks and tunnels [all]"},
		{"incarnation", "the store's incarnation of the revision to go on from [from the beginning]"},
		{"revision", "the revision to go on from [from the beginning]"},
	}
	listParameters = []parameter{
		{"network", "only what belongs to this network [all]"},
		{"node", "only what is on this node [all]"},
	}
)

// routes is the whole API.
func routes() []route {
	all := []route{
		{id: "getCA", method: "GET", path: "/v1/ca", summary: "The CA's certificate in PEM", media: "application/x-pem-file", serve: (*Server).getCA},
		{id: "getDocument", method: "GET", path: "/v1/openapi.json", summary: "This document", reply: map[string]string{}, serve: (*Server).getDocument},
		{id: "join", method: "POST", path: "/v1/join", summary: "Get a certificate by a token", body: JoinRequest{}, reply: Certificate{}, serve: (*Server).join},
		{id: "renew", method: "POST", path: "/v1/renew", summary: "Get another certificate of the same identity", roles: members, body: RenewRequest{}, reply: Certificate{}, serve: (*Server).renew},
		{id: "createToken", method: "POST", path: "/v1/token", summary: "Make a token", roles: admins, body: TokenRequest{}, reply: NewToken{}, serve: (*Server).createToken},
		{id: "whoAmI", method: "GET", path: "/v1/whoami", summary: "Whom the server takes the caller for", roles: members, reply: WhoAmI{}, serve: (*Server).whoAmI},
		{id: "getStatus", method: "GET", path: "/v1/status", summary: "How this server is", roles: members, early: true, reply: ServerStatus{}, serve: (*Server).status},
		{id: "getStore", method: "GET", path: "/v1/store", summary: "Whether the store is relied upon, and what nodes told when it was not", roles: members, reply: store.Standing{}, serve: (*Server).getStanding},
		{
			id: "recoverStore", method: "POST", path: "/v1/store/recover", summary: "Decide what becomes of a store that was wiped or restored; answers when that is done",
			roles: admins, body: RecoverRequest{}, reply: store.Standing{}, serve: (*Server).recoverStore,
		},
		{
			id: "report", method: "POST", path: "/v1/store/report", summary: "Tell what a node on hold has, and ask what it is to do",
			roles: []overlay.Role{overlay.RoleNode}, body: store.Report{}, reply: store.Answer{}, serve: (*Server).report,
		},
		{
			id: "watch", method: "GET", path: "/v1/watch", summary: "What is there and what changes, a line of JSON for each batch; an empty object says that the server is still there",
			roles: members, query: watchParameters, reply: watchLine[overlay.Resource]{}, media: "application/x-ndjson", serve: (*Server).watch,
		},
	}
	for _, kind := range overlay.Kinds() {
		all = append(all, resourceRoutes(kind)...)
	}
	return all
}

// resourceRoutes are the same for every kind.
func resourceRoutes(kind overlay.Kind) []route {
	noun := strings.ToLower(string(kind))
	base := "/v1/" + noun
	empty := overlay.New(kind)
	all := []route{{
		id: "list" + string(kind) + "s", method: "GET", path: base, summary: "List " + noun + "s",
		roles: readersOf(kind), query: listParameters, reply: List{Items: []overlay.Resource{empty}}, serve: serveList(kind),
	}}
	if kind.Networked() {
		all = append(all, oneRoutes(kind, base+"/{network}/{name}", "", "")...)
	} else {
		all = append(all, oneRoutes(kind, base+"/{name}", "", "")...)
	}
	if kind.StandsAlone() {
		all = append(all, oneRoutes(kind, base+"/{name}", "Alone", " that stands alone")...)
	}
	if kind == overlay.KindEndpoint {
		all = append(all, route{
			id: "createEndpoint", method: "POST", path: base + "/{network}", summary: "Make an endpoint with a name that the server chooses",
			roles: writers, body: empty, reply: empty, header: revisionAfter, serve: (*Server).createEndpoint,
		})
	}
	return all
}

func readersOf(kind overlay.Kind) []overlay.Role {
	if kind == overlay.KindToken {
		return admins
	}
	return members
}

// oneRoutes are for a single resource at a path; id and which tell its routes from those
// of the kind's other path, if it has one.
func oneRoutes(kind overlay.Kind, path, id, which string) []route {
	noun := strings.ToLower(string(kind))
	empty := overlay.New(kind)
	remove := route{
		id: "delete" + string(kind) + id, method: "DELETE", path: path, summary: "Delete a " + noun + which + "; deleting what is absent succeeds", roles: writers,
		query: []parameter{expectParameter}, header: revisionAfter, serve: serveDelete(kind),
	}
	switch kind {
	case overlay.KindToken:
		remove.query = append(remove.query, parameter{"force", "1 revokes the certificates too that people got with it"})
	case overlay.KindNode:
		remove.query = append(remove.query, parameter{"force", "1 removes the node's endpoints, blocks and tunnels too; for a node that is gone for good"})
	}
	return []route{
		{id: "get" + string(kind) + id, method: "GET", path: path, summary: "Get a " + noun + which, roles: readersOf(kind), reply: empty, serve: serveGet(kind)},
		{
			id: "put" + string(kind) + id, method: "PUT", path: path, summary: "Make or change a " + noun + which, roles: writers, body: empty, reply: empty, serve: servePut(kind),
			query: []parameter{expectParameter, {"status", "1 writes the status alone"}}, header: revisionAfter,
		},
		remove,
	}
}
