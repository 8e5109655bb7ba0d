//! The whole system through its sockets and a real browser.
