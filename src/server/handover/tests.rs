//! Sockets of this process, as if they had been passed to it.

use super::*;
use std::net::{Ipv4Addr, TcpStream};

fn socket() -> (SocketAddr, TcpListener) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    (socket.local_addr().unwrap(), socket)
}

fn passed(sockets: Vec<(&str, TcpListener)>) -> Handover {
    let sockets = sockets.into_iter();
    Handover::of(sockets.map(|(name, socket)| (name.to_owned(), Ok(socket)))).unwrap()
}

fn listen(plain: Option<SocketAddr>, admin: Option<SocketAddr>) -> Listen {
    Listen {
        plain,
        admin,
        ..Listen::default()
    }
}

fn complaint(sockets: Vec<(&str, TcpListener)>, listen: &Listen) -> String {
    passed(sockets).assign(listen).unwrap_err().to_string()
}

fn taken(assigned: &mut Assigned, port: Port) -> Option<SocketAddr> {
    let socket = assigned.take(port)?;
    Some(socket.local_addr().unwrap())
}

#[test]
fn sockets_with_a_name_are_known_by_it_and_others_by_their_address() {
    for names in [
        ["admin", "plain"],
        ["stanzad.socket", "stanzad.socket"],
        ["", "unknown"],
    ] {
        let ((admin, a), (plain, p)) = (socket(), socket());
        let handover = passed(vec![(names[0], a), (names[1], p)]);
        let mut assigned = handover.assign(&listen(Some(plain), Some(admin))).unwrap();
        assert_eq!(taken(&mut assigned, Port::Plain), Some(plain), "{names:?}");
        assert_eq!(taken(&mut assigned, Port::Admin), Some(admin), "{names:?}");
        assert_eq!(taken(&mut assigned, Port::Tls), None);
    }
}

#[test]
fn any_port_will_do_for_a_name_where_the_option_has_port_0() {
    let (address, socket) = socket();
    let any = Some((Ipv4Addr::LOCALHOST, 0).into());
    let handover = passed(vec![("plain", socket)]);
    let mut assigned = handover.assign(&listen(any, None)).unwrap();
    assert_eq!(taken(&mut assigned, Port::Plain), Some(address));
}

#[test]
fn a_socket_with_a_name_and_another_address_than_its_option_is_told_of_with_both() {
    let (address, socket) = socket();
    let other = (Ipv4Addr::LOCALHOST, 5280).into();
    assert_eq!(
        complaint(vec![("plain", socket)], &listen(Some(other), None)),
        format!(
            "listen.plain is 127.0.0.1:5280, and the socket that was passed for it listens on \
             {address}: they must be the same"
        )
    );
}

#[test]
fn a_socket_without_a_name_that_no_option_has_is_told_of_with_all_options() {
    let (address, socket) = socket();
    let other = (Ipv4Addr::LOCALHOST, 5280).into();
    assert_eq!(
        complaint(vec![("x.socket", socket)], &listen(Some(other), None)),
        format!(
            "the socket {address} was passed, and no option has this address: \
             listen.plain is 127.0.0.1:5280, listen.tls is not set, listen.admin is not set"
        )
    );
}

#[test]
fn a_name_that_is_none_of_ours_and_a_port_that_is_not_wanted_are_told_of() {
    let (address, one) = socket();
    assert_eq!(
        complaint(vec![("plian", one)], &listen(Some(address), None)),
        format!(
            "the socket {address} was passed by the name of \"plian\": the names are plain, tls \
             and admin"
        )
    );
    let (address, one) = socket();
    assert_eq!(
        complaint(vec![("admin", one)], &listen(None, None)),
        format!("the socket {address} was passed for listen.admin, which is not set")
    );
}

#[test]
fn two_sockets_for_one_option_are_told_of_with_both() {
    let ((first, one), (second, two)) = (socket(), socket());
    let any = Some((Ipv4Addr::LOCALHOST, 0).into());
    assert_eq!(
        complaint(vec![("plain", one), ("plain", two)], &listen(any, None)),
        format!("two sockets were passed for listen.plain: {first} and {second}")
    );
}

#[test]
fn a_connection_in_place_of_a_listening_socket_is_told_of() {
    let (address, listening) = socket();
    let connection = TcpStream::connect(address).unwrap();
    let connection = TcpListener::from(std::os::fd::OwnedFd::from(connection));
    let sockets = [
        ("plain".to_owned(), Ok(listening)),
        ("tls".to_owned(), Ok(connection)),
    ];
    let error = Handover::of(sockets).unwrap_err();
    assert!(
        matches!(error, HandoverError::NotAListener { number: 2, .. }),
        "{error}"
    );
}
