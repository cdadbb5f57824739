// Package openapi makes an OpenAPI 3.1 document of a table of operations: the
// schemas come from the Go types that go in and out, their descriptions and
// enumerations from the types' source.
//
// It runs when the document is generated, not in a server, and knows nothing of
// what the operations do.
package openapi
