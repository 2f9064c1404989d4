//! The only place that talks to the operating system past std and socket2. Each block of unsafe code says why it holds.
#![allow(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod clock;
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(crate) use clock::{awake_nanos, suspend_aware_nanos};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::{bind_without_port, disconnect, kernel_figures, rto_max, set_rto_max};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod timer;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use timer::{set_timer, timer};

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(target_os = "linux")]
pub(crate) use epoll::{epoll, is_watched, make_same, readable, receive, silent, unwatch, watch, writable};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod netlink;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use netlink::network_news;

#[cfg(unix)]
mod interfaces;
#[cfg(unix)]
pub(crate) use interfaces::own_addresses;
#[cfg(unix)]
pub(crate) mod names;

#[cfg(target_vendor = "apple")]
mod apple;
#[cfg(target_vendor = "apple")]
pub(crate) use apple::{bind_interface, kernel_figures, set_user_timeout, user_timeout};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{awake_nanos, keepalive, kernel_figures, set_user_timeout, suspend_aware_nanos, user_timeout};

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
mod other;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
pub(crate) use other::{awake_nanos, kernel_figures, suspend_aware_nanos};
