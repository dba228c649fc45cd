//! Which addresses are public. Everything else is refused unless the operator allowed the host by name.
//!
//! The tables are the special-purpose registries of IANA, read as "not for us" wherever they leave a doubt, and the
//! addresses at which clouds answer their own machines. In IPv6 only `2000::/3` is handed out at all, so everything
//! outside of it is refused without a list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), prefix)
}

const REFUSED_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by carriers"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(168, 63, 129, 16, 32), "cloud metadata"),
    (v4(169, 254, 0, 0, 16), "link-local, cloud metadata"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarks"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// The only part of IPv6 that is handed out for the public.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

const REFUSED_V6: &[(Ipv6Net, &str)] = &[
    (v6(0x2001, 0, 0, 32), "Teredo"),
    (v6(0x2001, 0, 0, 23), "protocol assignments"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation"),
    (v6(0x2002, 0, 0, 16), "6to4"),
    (v6(0x3ffe, 0, 0, 16), "6bone"),
    (v6(0x3fff, 0, 0, 20), "documentation"),
];

/// Why an address is refused; `None` if it is public.
///
/// An IPv4 address inside an IPv6 one is judged as what it is when mapped (`::ffff:a.b.c.d`), since systems dial that
/// address; every translated or tunnelled form (NAT64, 6to4, Teredo, IPv4-compatible) is refused whatever it holds.
#[must_use]
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => refusal_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => refusal_v4(mapped),
            None => refusal_v6(address),
        },
    }
}

fn refusal_v4(address: Ipv4Addr) -> Option<&'static str> {
    REFUSED_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, class)| *class)
}

fn refusal_v6(address: Ipv6Addr) -> Option<&'static str> {
    if GLOBAL_V6.contains(&address) {
        return REFUSED_V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, class)| *class);
    }
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => "loopback or unspecified",
        [0, 0, 0, 0, 0, 0, _, _] => "IPv4-compatible",
        [0x64, 0xff9b, ..] => "NAT64",
        [first, ..] if first & 0xfe00 == 0xfc00 => "private",
        [first, ..] if first & 0xffc0 == 0xfe80 => "link-local",
        [first, ..] if first & 0xff00 == 0xff00 => "multicast",
        _ => "not handed out",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_addresses_are_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::7f00:1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3ffe::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "fe80::1:2",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(refusal(text.parse().unwrap()).is_some(), "{text} must be refused");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.17",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.0.1",
            "192.169.0.1",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2003::1",
            "3ffd::1",
        ] {
            assert_eq!(refusal(text.parse().unwrap()), None, "{text} must pass");
        }
    }

    /// What the special-purpose registries of IANA call not globally reachable, written down from the registries and not
    /// from the tables above; and the ranges that are no unicast at all.
    const NOT_GLOBAL: [&str; 34] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.0.0/29",
        "192.0.0.8/32",
        "192.0.0.170/31",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.88.99.2/32",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "::1/128",
        "::/128",
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
        "2001::/23",
        "2001:2::/48",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ];

    fn member(range: &str, bits: u128) -> IpAddr {
        match range.parse().unwrap() {
            ipnet::IpNet::V4(net) => {
                let host = net.hostmask().to_bits() & bits as u32;
                Ipv4Addr::from_bits(net.network().to_bits() | host).into()
            }
            ipnet::IpNet::V6(net) => {
                Ipv6Addr::from_bits(net.network().to_bits() | (net.hostmask().to_bits() & bits)).into()
            }
        }
    }

    #[test]
    fn the_first_and_the_last_of_every_range_that_is_not_global_are_refused() {
        for range in NOT_GLOBAL {
            for bits in [0, u128::MAX] {
                assert!(refusal(member(range, bits)).is_some(), "{} of {range}", member(range, bits));
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_lies_in_a_range_that_is_not_global_is_refused(range in 0..NOT_GLOBAL.len(), bits: u128) {
            let address = member(NOT_GLOBAL[range], bits);
            prop_assert!(refusal(address).is_some(), "{address} of {}", NOT_GLOBAL[range]);
            if let IpAddr::V4(address) = address {
                prop_assert!(refusal(address.to_ipv6_mapped().into()).is_some());
            }
        }

        #[test]
        fn a_mapped_address_is_judged_as_what_it_is(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(refusal(address.to_ipv6_mapped().into()), refusal(address.into()));
        }

        #[test]
        fn translated_and_tunnelled_addresses_are_always_refused(bits: u32, tail: u64) {
            let [a, b] = [(bits >> 16) as u16, bits as u16];
            let tail = |n: u32| (tail >> (16 * n)) as u16;
            for address in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x2002, a, b, tail(0), tail(1), tail(2), tail(3), 1),
                Ipv6Addr::new(0x2001, 0, a, b, tail(0), tail(1), tail(2), tail(3)),
            ] {
                prop_assert!(refusal(address.into()).is_some(), "{address}");
            }
        }

        #[test]
        fn nothing_outside_of_global_unicast_passes(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            prop_assume!(address.to_ipv4_mapped().is_none());
            if refusal(address.into()).is_none() {
                prop_assert_eq!(address.segments()[0] >> 13, 1);
            }
        }
    }
}
