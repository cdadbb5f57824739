/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What user space tells the programs, and what they tell it. Every key begins
 * with the network's VNI, so that networks with the same addresses never meet.
 * IP addresses are in network order; IPv4 ones as IPv6 has them, ::ffff:a.b.c.d. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct address {
	__be32 word[4];
};

struct mac {
	__u8 byte[6];
};

enum port_flags {
	PORT_SEGMENT = 1 << 0, /* whoever is behind it is learnt, not checked */
	PORT_GATEWAY = 1 << 1, /* the network's own host: the veth into its domain */
	PORT_TUNNEL = 1 << 2,  /* the kernel's tunnel device, of what it has unwrapped */
	PORT_PEER = 1 << 3,    /* its other end is in another network namespace */
};

/* A device of Weft's, by interface index. */
struct port {
	__u32 vni;
	__u32 flags;
	struct mac mac; /* of the only station behind it */
	__u16 counter;	/* which one is its: see counters */
};

enum network_flags {
	NETWORK_ROUTED = 1 << 0,
	NETWORK_BUM_NONE = 1 << 1, /* broadcast and multicast stay on the node */
	NETWORK_NO_TUNNEL = 1 << 2, /* the kernel has no tunnel device for it: it changes its plane */
};

enum encapsulation {
	ENCAP_NONE, /* the network's own host sends it */
	ENCAP_VXLAN,
	ENCAP_GENEVE,
	ENCAP_GRE,
	ENCAP_IP, /* IP in IP and SIT, of either version in either */
};

struct network {
	__u32 flags;
	__u32 encapsulation;
	__u32 gateway; /* interface index of the port to the domain */
	__u16 gateway_flags, gateway_counter;
	__u32 mtu; /* of the largest IP packet that fits into the tunnel, in bytes */
	__u32 ports, peers; /* how many receivers of broadcast there are: see floods */
	__u32 underlay; /* interface index of the device that has the VTEP's address */
	struct address local; /* the VTEP */
	struct mac gateway_mac, vtep_mac;
	__be16 udp_port;
	__u8 pad[2];
};

struct station_key {
	__u32 vni;
	struct mac mac;
	__u8 pad[2];
};

enum station_flags {
	STATION_LEARNT = 1 << 0, /* by a program, not told by user space */
	STATION_SINGLE = 1 << 1, /* the endpoint of a port here */
};

/* Where a MAC is: behind a port here, or at a VTEP. */
struct station {
	__u32 port; /* interface index; 0: at vtep */
	__u16 port_flags;
	__u16 counter; /* the port's, or the VTEP's */
	__u32 flags;
	__u32 pad;
	struct address vtep;
	__u64 seen; /* when a frame came from it, in ns since boot; 0 if it is not learnt */
};

struct address_key {
	__u32 vni;
	struct address ip;
};

enum neighbor_flags {
	NEIGHBOR_GATEWAY = 1 << 0, /* one of the gateway's own addresses */
};

struct neighbor {
	struct mac mac;
	__u16 flags;
};

/* Source addresses that a port may use. */
struct allowed_key {
	__u32 port;
	struct address ip;
};

/* The prefix counts the bits of the VNI, too. */
struct route_key {
	__u32 prefix_len;
	__u32 vni;
	struct address ip;
};

/* The next hop of a routed network: an endpoint here, or another node. */
struct route {
	__u32 port; /* interface index; 0: at vtep */
	__u16 port_flags;
	__u16 counter; /* the port's, or the VTEP's */
	struct address vtep;
	struct mac mac; /* of the next hop */
	__u16 direct;	/* the network's own host sends it on, by a way of its own, up to this length; or 0 */
};

enum flood_kind {
	FLOOD_PORT = 0,
	FLOOD_PEER = 1,
};

/* Receivers of broadcast and multicast, numbered from 0 for each kind. */
struct flood_key {
	__u32 vni;
	__u32 kind;
	__u32 index;
};

struct flood {
	__u32 port;
	__u32 counter;
	struct address vtep;
};

/* Where tunnel packets come in: a VTEP, an IP protocol and, if that is UDP, a port. The
 * value is the encapsulation. */
struct tunnel_key {
	struct address local;
	__be16 udp_port;
	__u8 protocol;
	__u8 pad;
};

/* IP in IP has no room for a VNI: two nodes have one such network for each version inside,
 * of which the protocol is the number. */
struct pair_key {
	struct address local, remote;
	__u8 protocol;
	__u8 pad[3];
};

/* The numbers are those of overlay.DropReasons, from 1. */
enum drop_reason {
	DROP_NOT_MEMBER = 1,
	DROP_UNKNOWN_VNI,
	DROP_MALFORMED,
	DROP_SPOOFED_MAC,
	DROP_SPOOFED_IP,
	DROP_UNKNOWN_UNICAST,
	DROP_BUM,
	DROP_NO_ROUTE,
	DROP_TTL,
	DROP_TOO_BIG,
	DROP_NO_PORT,
	DROP_LOOP,
	DROP_NOT_IP,
	DROP_STORM,
	DROP_FAMILY,
	DROP_CHECKSUM,
	DROP_SEQUENCE,
	DROP_FRAGMENT,
};

/* vni is 0 where a packet belongs to no network of the node. */
struct drop_key {
	__u32 vni;
	__u32 reason;
};

/* Frames as ports have them, with the Ethernet header and without what is around them in
 * a tunnel. What the kernel has yet to cut into several counts once, as it does in the
 * statistics of links. */
struct tally {
	__u64 packets;
	__u64 bytes;
};

/* What came from a port or a VTEP, and what was sent to it. */
struct counter {
	struct tally from, to;
};

/* How many dropped packets may be shown, and were not. */
struct budget {
	__u64 full;   /* when it is, in ns since boot */
	__u64 hidden; /* not shown since the last that was: too many, or nobody has read those before */
};

/* What ports and VTEPs of a network have counted that are gone: user space's alone, kept
 * here because the counters outlive it, too. */
struct totals {
	struct counter ports, vteps;
};

#define SHOWN_BYTES 128

/* A packet was dropped: here is how it began, as the program had it. */
struct dropped {
	__u64 at; /* in ns since boot */
	__u32 vni;
	__u32 reason;
	__u32 device; /* interface index: where it came in */
	__u32 len;
	__u32 hidden; /* how many were not shown before it */
	__u32 pad;
	__u16 shown;  /* so many bytes */
	__u16 tagged; /* the kernel has taken out a VLAN tag, which was this: */
	__be16 tpid;
	__u16 tci;
	__u8 start[SHOWN_BYTES];
};

/* said_key is who said what address it has, which is none in most frames. */
struct said_key {
	__u32 vni;
	struct mac mac;
	__u8 pad[2];
	struct address ip;
};

/* A station was heard behind a segment port. */
struct sighting {
	struct said_key who;
	__u32 port;
	__u32 learnt; /* its frames go there */
};

#define MAP(NAME, TYPE, KEY, VALUE, MAX, FLAGS)            \
	struct {                                           \
		__uint(type, BPF_MAP_TYPE_##TYPE);         \
		__uint(max_entries, MAX);                  \
		__uint(map_flags, FLAGS);                  \
		__type(key, KEY);                          \
		__type(value, VALUE);                      \
	} NAME SEC(".maps")

/* Large ones take memory as they fill. */
MAP(ports, HASH, __u32, struct port, 16384, BPF_F_NO_PREALLOC);
MAP(networks, HASH, __u32, struct network, 4096, BPF_F_NO_PREALLOC);
MAP(stations, HASH, struct station_key, struct station, 1 << 18, BPF_F_NO_PREALLOC);
MAP(neighbors, HASH, struct address_key, struct neighbor, 1 << 19, BPF_F_NO_PREALLOC);
MAP(members, HASH, struct address_key, __u32, 1 << 17, BPF_F_NO_PREALLOC); /* a VTEP's counter */
MAP(allowed, HASH, struct allowed_key, __u8, 1 << 16, BPF_F_NO_PREALLOC);
MAP(routes, LPM_TRIE, struct route_key, struct route, 1 << 18, BPF_F_NO_PREALLOC);
MAP(floods, HASH, struct flood_key, struct flood, 1 << 17, BPF_F_NO_PREALLOC);
MAP(tunnels, HASH, struct tunnel_key, __u32, 64, BPF_F_NO_PREALLOC);
MAP(pairs, HASH, struct pair_key, __u32, 1 << 16, BPF_F_NO_PREALLOC);
MAP(drops, PERCPU_HASH, struct drop_key, struct tally, 1 << 14, BPF_F_NO_PREALLOC);
MAP(counters, PERCPU_ARRAY, __u32, struct counter, 1 << 14, 0); /* the first is nobody's */
MAP(retired, HASH, __u32, struct totals, 4096, BPF_F_NO_PREALLOC); /* by VNI */
MAP(budgets, PERCPU_ARRAY, __u32, struct budget, 32, 0); /* by drop_reason */
MAP(announced, LRU_HASH, struct said_key, __u64, 1 << 14, 0);
MAP(storms, LRU_HASH, __u32, __u64, 1 << 12, 0); /* by port: see may_flood */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} sightings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} dropped_packets SEC(".maps");
