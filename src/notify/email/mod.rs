//! Mail, by lettre on rustls.
//!
//! | file | does |
//! |---|---|
//! | `compose` | a letter becomes a whole mail (MIME) |
//! | `connect` | the connection: TLS, login |
//! | `send` | one transaction per recipient |
//! | `errors` | what servers answer, sorted once |

mod compose;
mod connect;
mod errors;
mod send;
#[cfg(test)]
mod tests;

pub use self::{compose::compose, send::send};
