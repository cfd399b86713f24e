//! The C face of gsock: `libgsock-1.so`.
//!
//! No logic: each function checks its arguments, converts them and calls the library. The header is
//! `include/gsock/gsock.h`, written by hand; `symbols.txt` lists what is exported.

#![allow(unsafe_code, reason = "functions that C calls")]

mod argument;
mod connect_report;
mod engine;
mod enums;
mod export;
mod fence;
mod framed;
mod interop;
mod listening;
mod reconnector;
mod socket_client;
mod socket_connection;
mod socket_listener;
mod socket_service;
mod tcp_connection;
mod tcp_wrapper_connection;
mod threaded_socket_service;
mod unix_connection;
