//! Small packets at once.
//!
//! sqlx (0.9) leaves Nagle's algorithm on. Against the server's delayed
//! acknowledgement it costs some 40 ms wherever no answer comes between two
//! writes: PostgreSQL's `copy ... from stdin` with its data and its end, a
//! prepared statement of MariaDB that is dropped for another one. That is
//! seconds for a site of many small tables. sqlx gives no way to its socket, so the option
//! is set from outside, on every TCP socket of this process: all of them carry
//! requests that somebody waits for. Where `/proc` is missing nothing is set,
//! and it is only slower.

use std::os::fd::BorrowedFd;

use rustix::net::{AddressFamily, SocketType, sockopt};

/// Switches Nagle's algorithm off for the TCP sockets that are open now.
pub fn off() {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let numbers = descriptors
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers {
        // SAFETY: the number is used for these calls only. Another thread may
        // close it in between; then they fail, or meet a newer socket of ours
        // that wants the same.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if is_tcp(descriptor) {
            let _ = sockopt::set_tcp_nodelay(descriptor, true);
        }
    }
}

fn is_tcp(descriptor: BorrowedFd<'_>) -> bool {
    let stream = sockopt::socket_type(descriptor) == Ok(SocketType::STREAM);
    stream
        && matches!(
            sockopt::socket_domain(descriptor),
            Ok(AddressFamily::INET | AddressFamily::INET6)
        )
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_open_tcp_socket_sends_at_once_afterwards() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(
            !stream.nodelay().unwrap(),
            "the system's default is to wait"
        );
        off();
        assert!(stream.nodelay().unwrap());
    }
}
