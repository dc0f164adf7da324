//! Who is at the other end of a request: the address, and whether the way from there is encrypted, also where
//! proxies stand in between.
//!
//! A proxy names its client in `Forwarded` (RFC 7239) or in `X-Forwarded-For` and `X-Forwarded-Proto`. Anyone
//! can send these headers, so they are trusted only from the proxies that the operator names. They are read
//! from the right, where the nearest proxy added what it saw, to the first address that is not a trusted
//! proxy.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use axum::{
    extract::FromRequestParts,
    http::{
        Extensions, HeaderMap,
        header::{FORWARDED, HeaderName},
        request::Parts,
    },
};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The connection that a request came over. A listener puts it among the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The address at its other end.
    pub peer: IpAddr,
    /// Whether it is encrypted.
    pub tls: bool,
}

/// Marks a request, among its extensions, that came over a connection beyond the limit on them: only health checks and
/// metrics are answered.
#[derive(Debug, Clone, Copy)]
pub struct HealthOnly;

/// Who sent a request. It is among the extensions of each request that the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its address; `0.0.0.0` where the request came over no connection.
    pub address: IpAddr,
    /// Whether it sent the request by TLS, to this service or to a trusted proxy.
    pub secure: bool,
}

impl Client {
    /// The client of the request that has these extensions.
    pub fn of(extensions: &Extensions) -> Self {
        let nobody = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), secure: false };
        extensions.get().copied().unwrap_or(nobody)
    }

    /// The key under which limits count this address: an IPv4 address itself, and the first 64 bits of an
    /// IPv6 address, since one customer usually controls a whole /64.
    pub fn network(self) -> IpAddr {
        network(self.address)
    }
}

/// What stands for one client: of an IPv6 address the first 64 bits, since a subscriber has all the rest.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The networks of the proxies that are believed; none, unless an operator names some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// What is no network.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no IP address and no network such as 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork(String);

impl FromStr for TrustedProxies {
    type Err = NoNetwork;

    /// Reads networks and single addresses between commas.
    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let network = |text: &str| {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| NoNetwork(text.to_owned()))
        };
        text.split(',').map(str::trim).map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// Who sent the request with these headers over this connection.
    pub fn client(&self, connection: Option<&Connection>, headers: &HeaderMap) -> Client {
        let Some(Connection { peer, tls }) = connection else { return Client::of(&Extensions::new()) };
        let direct = Client { address: peer.to_canonical(), secure: *tls };
        if !self.trust(direct.address) {
            return direct;
        }
        let forwarded = headers.contains_key(FORWARDED).then(|| self.walk(direct, forwarded(headers)));
        let listed = self.walk(direct, x_forwarded(headers));
        match forwarded {
            // A proxy that knows one of the headers only lets the other pass as the client sent it. Which of
            // the two it is cannot be known, so neither is believed.
            Some(client) if headers.contains_key(X_FORWARDED_FOR) && client.address != listed.address => {
                direct
            }
            Some(client) => client,
            None => listed,
        }
    }

    /// Whether this is the address of one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Follows what proxies say, the nearest first, as long as it is a trusted one that says it.
    fn walk(&self, direct: Client, hops: Vec<Hop>) -> Client {
        let mut client = direct;
        for Hop { address, secure } in hops.into_iter().rev() {
            client.secure = secure.unwrap_or(client.secure);
            // What is not an address ends the walk at the last one that is.
            let Some(address) = address else { break };
            client.address = address;
            if !self.trust(address) {
                break;
            }
        }
        client
    }
}

/// What one proxy says of who connected to it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    /// `None` where it is hidden or cannot be read.
    address: Option<IpAddr>,
    /// `None` where it is not said.
    secure: Option<bool>,
}

/// The elements of `Forwarded`, in their order.
fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops = Vec::new();
    for value in headers.get_all(FORWARDED) {
        match value.to_str() {
            Ok(text) => {
                let elements = split(text, ',').into_iter().filter(|element| !element.is_empty());
                hops.extend(elements.map(element));
            }
            Err(_) => hops.push(Hop::default()),
        }
    }
    hops
}

fn element(text: &str) -> Hop {
    let mut hop = Hop::default();
    for pair in split(text, ';') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if name.eq_ignore_ascii_case("for") {
            hop.address = node(value);
        } else if name.eq_ignore_ascii_case("proto") {
            hop.secure = is_https(value);
        }
    }
    hop
}

/// The parts of a text between separators that are not within quotes, without the spaces around them.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let mut escaped = false;
    let parts = text.split(|character| {
        let separates = character == separator && !quoted;
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && character == '\\' && !escaped;
        separates
    });
    parts.map(str::trim).collect()
}

/// The entries of `X-Forwarded-For`, each with the one of `X-Forwarded-Proto` as far from the right; where
/// there are fewer of those, the first of them.
fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let addresses = list(headers, &X_FORWARDED_FOR);
    let protocols = list(headers, &X_FORWARDED_PROTO);
    let secure = |from_right: usize| {
        let protocol = protocols.iter().rev().nth(from_right).or(protocols.first());
        protocol.and_then(|protocol| is_https(protocol))
    };
    if addresses.is_empty() {
        return vec![Hop { address: None, secure: secure(0) }];
    }
    let last = addresses.len() - 1;
    let hops = addresses.iter().enumerate();
    hops.map(|(place, address)| Hop { address: node(address), secure: secure(last - place) }).collect()
}

/// The entries of a header that is a list; an unreadable line of it is one that is empty.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

/// An address as proxies write it: alone, in brackets, with a port.
fn node(text: &str) -> Option<IpAddr> {
    let alone = || text.parse::<IpAddr>().ok();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    alone().or_else(in_brackets).or_else(with_port).map(|address| address.to_canonical())
}

fn is_https(protocol: &str) -> Option<bool> {
    if protocol.eq_ignore_ascii_case("https") {
        return Some(true);
    }
    protocol.eq_ignore_ascii_case("http").then_some(false)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PROXIES: &str = "10.0.0.0/8, fd00::/8,192.0.2.1";

    /// The client behind a connection from an address, as `address` or `address s`.
    fn seen(peer: &str, headers: &[(HeaderName, &str)]) -> String {
        let proxies: TrustedProxies = PROXIES.parse().unwrap();
        let connection = Connection { peer: peer.parse().unwrap(), tls: false };
        let mut lines = HeaderMap::new();
        for (name, value) in headers {
            lines.append(name, HeaderValue::from_str(value).unwrap());
        }
        let Client { address, secure } = proxies.client(Some(&connection), &lines);
        format!("{address}{}", if secure { " s" } else { "" })
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        for peer in ["198.51.100.7", "::1", "192.0.2.2"] {
            for header in [FORWARDED, X_FORWARDED_FOR] {
                let said = if header == FORWARDED { "for=203.0.113.9;proto=https" } else { "203.0.113.9" };
                let proto = (X_FORWARDED_PROTO, "https");
                assert_eq!(seen(peer, &[(header, said), proto]), peer);
            }
        }
    }

    #[test]
    fn forwarded_is_read_from_the_right_past_trusted_proxies() {
        for (value, client) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"203.0.113.9:4711\";PROTO=https", "203.0.113.9 s"),
            ("for=\"[2001:db8::17]:4711\";proto=https;by=10.0.0.1", "2001:db8::17 s"),
            ("for=\"[2001:db8::17]\"", "2001:db8::17"),
            ("for=1.1.1.1, for=203.0.113.9;proto=https, for=10.0.0.2;proto=http", "203.0.113.9 s"),
            ("for=1.1.1.1;proto=https, , for=203.0.113.9 ; proto=http", "203.0.113.9"),
            // All are proxies: the farthest.
            ("for=10.0.0.3;proto=https, for=10.0.0.2", "10.0.0.3 s"),
            // What is hidden or cannot be read ends the walk.
            ("for=203.0.113.9, for=unknown;proto=https", "10.0.0.1 s"),
            ("for=203.0.113.9, for=_hidden, for=10.0.0.2", "10.0.0.2"),
            ("for=203.0.113.9, nonsense", "10.0.0.1"),
            ("for=203.0.113.9, for=\"10.0.0.2", "10.0.0.1"),
            ("for=999.0.0.1", "10.0.0.1"),
            ("", "10.0.0.1"),
            // A quote that the client left open hides nothing that the proxy wrote behind it.
            ("for=\"1.1.1.1, for=203.0.113.9", "10.0.0.1"),
            ("for=1.1.1.1, for=\", for=\"[2001:db8::17]\"", "10.0.0.1"),
            ("by=\"a\\\", for=1.1.1.1\", for=203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(seen("10.0.0.1", &[(FORWARDED, value)]), client, "{value}");
        }
        let lines = [(FORWARDED, "for=\"1.1.1.1"), (FORWARDED, "for=203.0.113.9")];
        assert_eq!(seen("10.0.0.1", &lines), "203.0.113.9");
    }

    #[test]
    fn x_forwarded_for_is_read_alike() {
        for (addresses, protocols, client) in [
            ("203.0.113.9", "https", "203.0.113.9 s"),
            ("203.0.113.9", "", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9:4711, fd00::2", "http, https, http", "203.0.113.9 s"),
            ("203.0.113.9, 10.0.0.2", "https", "203.0.113.9 s"),
            ("1.1.1.1,2001:db8::17", "https,http", "2001:db8::17"),
            ("[2001:db8::17]:1", "ftp", "2001:db8::17"),
            ("::ffff:203.0.113.9", "HTTPS", "203.0.113.9 s"),
            ("203.0.113.9, unknown", "https", "10.0.0.1 s"),
            ("203.0.113.9, ,10.0.0.2", "", "10.0.0.2"),
        ] {
            let headers = [(X_FORWARDED_FOR, addresses), (X_FORWARDED_PROTO, protocols)];
            assert_eq!(seen("::ffff:10.0.0.1", &headers), client, "{addresses} {protocols}");
        }
        assert_eq!(seen("10.0.0.1", &[(X_FORWARDED_PROTO, "https")]), "10.0.0.1 s");
        let lines = [(X_FORWARDED_FOR, "1.1.1.1"), (X_FORWARDED_FOR, "203.0.113.9")];
        assert_eq!(seen("10.0.0.1", &lines), "203.0.113.9");
    }

    #[test]
    fn of_two_headers_that_contradict_each_other_neither_is_believed() {
        let listed = (X_FORWARDED_FOR, "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &[(FORWARDED, "for=1.1.1.1"), listed.clone()]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[(FORWARDED, "for=203.0.113.9;proto=https"), listed]), "203.0.113.9 s");
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/8,,fd00::/8", "localhost", "10.0.0.0/8 fd00::/8"] {
            assert!(text.parse::<TrustedProxies>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_a_client_that_it_does_not_name(value in "[ -~]{0,60}") {
            let client = seen("10.0.0.1", &[(FORWARDED, &value)]);
            let address = client.trim_end_matches(" s");
            let written: IpAddr = address.parse().unwrap();
            prop_assert!(address == "10.0.0.1" || value.split(['"', '=', ';', ',', ' ']).any(|part| node(part) == Some(written)));
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
