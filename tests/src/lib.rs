//! What the tests of Syncline stand on: providers that behave like the real ones, traps included.
//!
//! Nothing here is part of the product. The fakes are ordinary HTTP servers, so the host and its connectors are
//! tested through the same sockets they use in production.

pub mod fakes;
