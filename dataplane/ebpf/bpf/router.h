/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A routed network: an IP router (RFC 1812, RFC 8200) whose interfaces are the ports
 * and one tunnel. What is plain is forwarded here; all else, errors above all, is for
 * the network's own host, which has the same routes. */
#pragma once

#include "switch.h"

/* routable: an address that names one host beyond its own link (RFC 1812 section
 * 5.3.7, RFC 4291 section 2.5). */
static __always_inline int routable(const struct address *a)
{
	__u8 first = bpf_ntohl(a->word[3]) >> 24;

	if (is_v4(a))
		return first && first != 127 && first < 224;
	return !is_unspecified(a) && !is_link_local(a) && (a->word[0] & bpf_htonl(0xff000000)) != bpf_htonl(0xff000000) &&
	       (a->word[0] | a->word[1] | a->word[2]);
}

/* hop lowers the TTL (RFC 1812 section 5.3.1), and of IPv4 raises the checksum by as much
 * (RFC 1624, as Linux does: include/net/ip.h, ip_decrease_ttl). */
static __always_inline int hop(struct __sk_buff *skb, const struct packet *p)
{
	const __u32 at = ETH_HLEN + offsetof(struct iphdr, ttl);
	__u8 ttl = p->ttl - 1;
	__u32 check;
	struct {
		__u8 ttl, protocol;
		__sum16 check;
	} v4;

	if (p->version == 6)
		return store(skb, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit), &ttl, sizeof(ttl));
	if (load(skb, at, &v4, sizeof(v4)))
		return -1;
	check = v4.check + bpf_htons(0x0100);
	v4.check = check + (check >= 0xffff);
	v4.ttl = ttl;
	return store(skb, at, &v4, sizeof(v4));
}

static __always_inline int is_gateway(__u32 vni, const struct address *ip)
{
	struct neighbor *n = find_neighbor(vni, ip);

	return n && n->flags & NEIGHBOR_GATEWAY;
}

/* may_not_be_cut: IPv6 packets, and those that say so. */
static __always_inline int may_not_be_cut(struct __sk_buff *skb, const struct packet *p)
{
	__be16 fragment;

	return p->version == 6 || load(skb, ETH_HLEN + offsetof(struct iphdr, frag_off), &fragment, sizeof(fragment)) ||
	       fragment & bpf_htons(IP_DF);
}

/* refusal is why the network's own host does not forward a packet, in the order in which
 * Linux looks (net/ipv4/ip_forward.c, net/ipv6/ip6_output.c); 0: it does, or is whom the
 * packet is for. */
static __noinline int refusal(struct __sk_buff *skb, const struct packet *p, __u32 vni, __u32 mtu)
{
	struct route_key key = {.prefix_len = 160, .vni = vni, .ip = p->dst};
	struct route *r;

	if (is_gateway(vni, &p->dst))
		return 0;
	if (!(routable(&p->src) || is_link_local(&p->src)) || !(routable(&p->dst) || is_link_local(&p->dst)))
		return DROP_NO_ROUTE;
	r = bpf_map_lookup_elem(&routes, &key);
	if (!r)
		return DROP_NO_ROUTE;
	if (p->ttl <= 1)
		return DROP_TTL;
	if (is_link_local(&p->src))
		return DROP_NO_ROUTE; /* RFC 4291 section 2.5.6 */
	if (largest(skb, p) > (r->direct ? r->direct : mtu) && may_not_be_cut(skb, p))
		return DROP_TOO_BIG;
	return 0;
}

/* hand gives a packet to the network's own host, addressed to it, which tells the sender
 * if it does not forward it. */
static __always_inline int hand(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n)
{
	int why = refusal(skb, &s->frame.ip, vni, n->mtu);

	if (why)
		note(skb, vni, why);
	return write_eth(skb, &n->gateway_mac, &s->frame.src) ? drop(skb, vni, DROP_MALFORMED) : give(skb, &s->frame, n);
}

/* route_packet forwards a packet, whatever link it came from. */
static __always_inline int route_packet(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n)
{
	const struct packet *p = &s->frame.ip;
	struct route_key key = {.prefix_len = 160, .vni = vni, .ip = p->dst};
	struct route *r;

	if (skb->len > ETH_HLEN + p->len && bpf_skb_change_tail(skb, ETH_HLEN + p->len, 0))
		return drop(skb, vni, DROP_MALFORMED); /* a frame may be padded, and the packet goes on without that */
	if (is_link_local(&p->src) && !is_link_local(&p->dst) && !is_gateway(vni, &p->dst))
		return drop(skb, vni, refusal(skb, p, vni, n->mtu));
	if (!routable(&p->src) || !routable(&p->dst) || p->ttl <= 1 ||
	    (p->version == 4 && p->header > sizeof(struct iphdr)) || largest(skb, p) > n->mtu)
		return hand(skb, s, vni, n);
	r = bpf_map_lookup_elem(&routes, &key);
	if (!r || r->direct || hop(skb, p))
		return hand(skb, s, vni, n);
	if (!r->port)
		return to_vtep(skb, s, vni, n, &r->vtep, r->counter, &r->mac, &n->vtep_mac);
	if (write_eth(skb, &r->mac, &n->gateway_mac))
		return drop(skb, vni, DROP_MALFORMED);
	return deliver(skb, &s->frame, r->port, r->port_flags, r->counter);
}

/* is_for_host: the network's own host has an answer to it. */
static __always_inline int is_for_host(struct __sk_buff *skb, struct scratch *s, __u32 vni)
{
	const struct packet *p = &s->frame.ip;
	__u8 type;

	if (!s->frame.is_ip)
		return parse_question(skb, s) && is_gateway(vni, &s->question.target);
	if (p->protocol != IPPROTO_ICMPV6 || load(skb, ETH_HLEN + sizeof(struct ipv6hdr), &type, 1) ||
	    type != ICMPV6_ECHO_REQUEST)
		return 0;
	return (p->dst.word[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000) || is_gateway(vni, &p->dst);
}

/* route_from_port: a port is a link of its own, with nobody on it but its endpoint and
 * the gateway. */
static __always_inline int route_from_port(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n)
{
	const struct frame *f = &s->frame;
	struct neighbor *known;

	if (!same_mac(&f->dst, &n->gateway_mac) && !is_group(&f->dst))
		return drop(skb, vni, DROP_UNKNOWN_UNICAST);
	if (is_group(&f->dst) && parse_question(skb, s)) {
		known = find_neighbor(vni, &s->question.target);
		if (known && known->flags & NEIGHBOR_GATEWAY)
			return answer(skb, s, vni, &n->gateway_mac, 1);
		return drop(skb, vni, f->type == bpf_htons(ETH_P_ARP) ? DROP_NOT_IP : DROP_NO_ROUTE);
	}
	if (!f->is_ip && f->type != bpf_htons(ETH_P_ARP)) {
		if (!f->tagged && (f->type == bpf_htons(ETH_P_IP) || f->type == bpf_htons(ETH_P_IPV6)))
			return drop(skb, vni, DROP_MALFORMED);
		return drop(skb, vni, DROP_NOT_IP);
	}
	if (!f->is_ip || is_group(&f->dst)) {
		if (!is_for_host(skb, s, vni))
			note(skb, vni, f->is_ip ? DROP_NO_ROUTE : DROP_NOT_IP);
		return call(skb, n);
	}
	return route_packet(skb, s, vni, n);
}

/* route_from_member: the tunnel is a link with the members' VTEPs on it. */
static __always_inline int route_from_member(struct __sk_buff *skb, struct scratch *s, __u32 vni,
					     const struct network *n)
{
	const struct frame *f = &s->frame;

	if (is_group(&f->dst))
		return drop(skb, vni, DROP_NO_ROUTE);
	if (!same_mac(&f->dst, &n->vtep_mac))
		return drop(skb, vni, DROP_NO_PORT);
	if (!f->is_ip)
		return drop(skb, vni, !f->tagged && (f->type == bpf_htons(ETH_P_IP) || f->type == bpf_htons(ETH_P_IPV6)) ?
					 DROP_MALFORMED : DROP_NOT_IP);
	return route_packet(skb, s, vni, n);
}

/* route_from_gateway: the network's own host has routed the packet, and asks here who is
 * at its next hop. The ports are one link to it, and links of their own to each other:
 * what it says to all is for none of them. */
static __always_inline int route_from_gateway(struct __sk_buff *skb, struct scratch *s, __u32 vni,
					      const struct network *n)
{
	const struct frame *f = &s->frame;
	struct station_key key = {.vni = vni, .mac = f->dst};
	struct station *to;

	if (is_group(&f->dst))
		return TC_ACT_SHOT;
	to = bpf_map_lookup_elem(&stations, &key);
	if (!to)
		return drop(skb, vni, DROP_NO_ROUTE);
	if (to->port)
		return deliver(skb, &s->frame, to->port, to->port_flags, to->counter);
	return to_vtep(skb, s, vni, n, &to->vtep, to->counter, &f->dst, &n->vtep_mac);
}
