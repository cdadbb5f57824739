// Package rules is what a change to a store means, whoever keeps the data: how
// a write becomes a stored document, what keys are allowed, in which order
// resources are listed, and how events become a batch.
//
// Everything here is a function of its arguments. The three rules that need a
// transaction (expected revision, claims, needs) are each store's own.
package rules
