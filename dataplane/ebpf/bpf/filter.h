/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who may say what at a port. A single port has one endpoint: every claim that a
 * frame makes about who sent it has to be that endpoint's. */
#pragma once

#include "resolve.h"

static __always_inline int may_use(__u32 port, const struct address *ip)
{
	struct allowed_key key = {.port = port, .ip = *ip};

	return bpf_map_lookup_elem(&allowed, &key) != 0;
}

/* What poisons caches is the sender inside an ARP packet (RFC 826); a probe has
 * none yet (RFC 5227). ARP for anything but IPv4 over Ethernet names nobody here. One
 * that is cut off before the sender's end says nothing right. */
static __always_inline int forged_arp(struct __sk_buff *skb, const struct port *p)
{
	struct arp arp = {};
	struct address sender;

	if (load(skb, ETH_HLEN, &arp, offsetof(struct arp, target)))
		return 1;
	if (!names_ipv4(&arp))
		return 0;
	sender = from_v4(arp.sender_ip);
	if (!same_mac(&arp.sender, &p->mac))
		return 1;
	return arp.sender_ip && !may_use(skb->ifindex, &sender);
}

/* A DHCP client has no address yet (RFC 2131 section 4.1). */
static __always_inline int forged_v4(struct __sk_buff *skb)
{
	struct iphdr ip;
	struct udphdr udp;
	struct address src;

	if (load(skb, ETH_HLEN, &ip, sizeof(ip)))
		return 1;
	src = from_v4(ip.saddr);
	if (ip.saddr)
		return !may_use(skb->ifindex, &src);
	if (ip.version != 4 || ip.ihl < 5 || ip.protocol != IPPROTO_UDP || ip.frag_off & bpf_htons(IP_FRAGMENT) ||
	    load(skb, ETH_HLEN + ip.ihl * 4, &udp, sizeof(udp)))
		return 1;
	return udp.source != bpf_htons(68) || udp.dest != bpf_htons(67);
}

/* An advertisement's target goes into caches (RFC 4861 section 7.2.5). Duplicate
 * address detection has no source yet (RFC 4862 section 5.4.2). */
static __always_inline int forged_v6(struct __sk_buff *skb)
{
	struct ipv6hdr ip;
	struct nd nd;
	struct address src, target;

	if (load(skb, ETH_HLEN, &ip, sizeof(ip)))
		return 1;
	src = from_v6(&ip.saddr);
	if (ip.nexthdr == IPPROTO_ICMPV6 && !load(skb, ETH_HLEN + sizeof(ip), &nd, sizeof(nd)) &&
	    nd.type == NDISC_ADVERTISEMENT) {
		target = from_v6(&nd.target);
		if (!may_use(skb->ifindex, &target))
			return 1;
	}
	if (is_unspecified(&src))
		return ip.nexthdr != IPPROTO_ICMPV6;
	return !may_use(skb->ifindex, &src);
}

/* forged says why a frame may not come in at a single port, or 0. A receiver takes
 * the content of a priority tag for its own (IEEE 802.1Q 6.9.1), so what is behind a
 * tag counts; what is behind two is not looked for, and nobody gets it. */
static __always_inline int forged(struct __sk_buff *skb, const struct port *p, const struct frame *f)
{
	int wrong = 0;

	if (!same_mac(&f->src, &p->mac))
		return DROP_SPOOFED_MAC;
	if (f->type == bpf_htons(ETH_P_ARP))
		wrong = forged_arp(skb, p);
	else if (f->type == bpf_htons(ETH_P_IP))
		wrong = forged_v4(skb);
	else if (f->type == bpf_htons(ETH_P_IPV6))
		wrong = forged_v6(skb);
	else if (f->type == ETH_P_8021Q_BE || f->type == ETH_P_8021AD_BE)
		wrong = 1;
	return wrong ? DROP_SPOOFED_IP : 0;
}
