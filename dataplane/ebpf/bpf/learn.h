/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Stations behind segment ports: where they are, and what addresses they say they have. */
#pragma once

#include "resolve.h"

/* How long a station that was heard is not told of again, in ns. */
#define ANNOUNCE_EVERY 1000000000ull

/* said is the address that a frame says its sender has, or none: by ARP, or by ND, where
 * duplicate address detection names it as the target (RFC 4862 section 5.4). */
static __always_inline struct address said(struct __sk_buff *skb, const struct frame *f)
{
	struct address none = {};
	struct arp arp;
	struct nd nd;

	if (f->type == bpf_htons(ETH_P_ARP) && parse_arp(skb, &arp) && arp.sender_ip && same_mac(&arp.sender, &f->src))
		return from_v4(arp.sender_ip);
	if (!f->is_ip || f->ip.protocol != IPPROTO_ICMPV6 || f->ip.ttl != 255 ||
	    load(skb, ETH_HLEN + sizeof(struct ipv6hdr), &nd, sizeof(nd)))
		return none;
	if (nd.type == NDISC_ADVERTISEMENT || (nd.type == NDISC_SOLICITATION && is_unspecified(&f->ip.src)))
		return from_v6(&nd.target);
	return nd.type == NDISC_SOLICITATION ? f->ip.src : none;
}

/* announce tells user space of a station, of each of its addresses now and then. */
static __always_inline void announce(struct __sk_buff *skb, __u32 vni, const struct frame *f, int learnt, __u64 now)
{
	struct said_key who = {.vni = vni, .mac = f->src, .ip = said(skb, f)};
	__u64 *told = bpf_map_lookup_elem(&announced, &who);
	struct sighting *s;

	if (told && now - *told < ANNOUNCE_EVERY)
		return;
	bpf_map_update_elem(&announced, &who, &now, BPF_ANY);
	s = bpf_ringbuf_reserve(&sightings, sizeof(*s), 0);
	if (!s)
		return; /* the next one is told of */
	s->who = who;
	s->port = skb->ifindex;
	s->learnt = learnt;
	bpf_ringbuf_submit(s, 0);
}

/* learn notes a station behind a segment port; false if it says to be what it cannot be:
 * the gateway, or the endpoint of a port here. What the registry has elsewhere stays
 * there: user space hears of it, and the registry decides. */
static __always_inline int learn(struct __sk_buff *skb, __u32 vni, const struct network *n, const struct port *p,
				 const struct frame *f)
{
	struct station_key key = {.vni = vni, .mac = f->src};
	struct station fresh = {
		.port = skb->ifindex, .port_flags = p->flags, .counter = p->counter, .flags = STATION_LEARNT};
	struct station *s;
	int learnt = 1;

	if (same_mac(&f->src, &n->gateway_mac))
		return 0;
	fresh.seen = bpf_ktime_get_ns();
	s = bpf_map_lookup_elem(&stations, &key);
	if (!s) {
		learnt = !bpf_map_update_elem(&stations, &key, &fresh, BPF_NOEXIST);
	} else if (s->flags & STATION_SINGLE) {
		return 0;
	} else if (s->flags & STATION_LEARNT) {
		s->port = fresh.port; /* it may have moved behind another port */
		s->port_flags = fresh.port_flags;
		s->counter = fresh.counter;
		s->seen = fresh.seen;
	} else {
		learnt = 0;
	}
	announce(skb, vni, f, learnt, fresh.seen);
	return 1;
}
