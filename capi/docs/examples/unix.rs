//! What is of Unix sockets, in Rust, as the documentation shows it; see operations.rs.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use gsock::{UnixConnection, prelude::*};

use super::{Outcome, in_time, unix_end};

// {gsock_unix_connection_send_fd_async gsock_unix_connection_send_fd_finish}
async fn hand_over_later(
    connection: &UnixConnection,
    fd: BorrowedFd<'_>,
) -> Result<(), glib::Error> {
    // It is duplicated before this returns its future.
    connection.send_fd_future(fd).await
}
// {}

// {gsock_unix_connection_receive_fd_async gsock_unix_connection_receive_fd_finish}
async fn take_over_later(connection: &UnixConnection) -> Result<OwnedFd, glib::Error> {
    connection.receive_fd_future().await
}
// {}

// {gsock_unix_connection_send_fds}
fn hand_over_both(
    connection: &UnixConnection,
    one: BorrowedFd<'_>,
    other: BorrowedFd<'_>,
) -> Result<(), glib::Error> {
    // In one message, with one byte.
    connection.send_fds(&[one, other], gio::Cancellable::NONE)
}
// {}

// {gsock_unix_connection_receive_fds}
fn take_over_all(connection: &UnixConnection) -> Result<Vec<OwnedFd>, glib::Error> {
    // 8 at most: one message of more is refused, and what came with it closed.
    connection.receive_fds(8, gio::Cancellable::NONE)
}
// {}

// {gsock_unix_connection_send_fds_async gsock_unix_connection_send_fds_finish}
async fn hand_over_both_later(
    connection: &UnixConnection,
    one: BorrowedFd<'_>,
    other: BorrowedFd<'_>,
) -> Result<(), glib::Error> {
    connection.send_fds_future(&[one, other]).await
}
// {}

// {gsock_unix_connection_receive_fds_async gsock_unix_connection_receive_fds_finish}
async fn take_over_all_later(connection: &UnixConnection) -> Result<Vec<OwnedFd>, glib::Error> {
    connection.receive_fds_future(8).await
}
// {}

// {gsock_unix_connection_send_credentials_async gsock_unix_connection_send_credentials_finish}
async fn say_who_later(connection: &UnixConnection) -> Result<(), glib::Error> {
    connection.send_credentials_future().await
}
// {}

// {gsock_unix_connection_receive_credentials_async gsock_unix_connection_receive_credentials_finish}
async fn hear_who_later(connection: &UnixConnection) -> Result<bool, glib::Error> {
    let credentials = connection.receive_credentials_future().await?;
    Ok(credentials.unix_user()? == gio::Credentials::new().unix_user()?)
}
// {}

// {gsock_unix_connection_get_peer_credentials}
fn process_of_peer(connection: &UnixConnection) -> Result<i32, glib::Error> {
    // Of when it connected; nothing is sent for it.
    connection.peer_credentials()?.unix_pid()
}
// {}

// {gsock_unix_connection_get_peer_pidfd}
fn hold_peer(connection: &UnixConnection) {
    match connection.peer_pidfd() {
        // It names the process, and no other one that has its number later.
        Ok(pidfd) => drop(pidfd),
        Err(error) => println!("an older Linux: {error}"),
    }
}
// {}

async fn run() -> Outcome {
    let (left, right) = UnixStream::pair()?;
    let (left, right) = (unix_end(left), unix_end(right));
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let (one, other) = (stdin.as_fd(), stdout.as_fd());
    hand_over_later(&left, one).await?;
    drop(take_over_later(&right).await?);
    hand_over_both(&left, one, other)?;
    assert_eq!(take_over_all(&right)?.len(), 2);
    hand_over_both_later(&left, one, other).await?;
    assert_eq!(take_over_all_later(&right).await?.len(), 2);
    say_who_later(&left).await?;
    assert!(hear_who_later(&right).await?);
    assert_eq!(u32::try_from(process_of_peer(&left)?)?, std::process::id());
    hold_peer(&left);
    Ok(())
}

#[test]
fn the_unix_connection_of_the_documentation_does_what_it_says() {
    in_time(run());
}
