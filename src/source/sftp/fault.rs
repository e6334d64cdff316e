//! Why a request was not answered as hoped: the connection, or the server's own answer.

use super::wire::Malformed;
use crate::source::words;

/// Why a request was not answered as hoped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is of no use any more; why.
    Broken(String),
    /// The server's own answer.
    Refused {
        /// A code of [`super::wire::status`].
        code: u32,
        /// The server's own words.
        message: String,
    },
}

impl Fault {
    /// The connection broke off.
    pub fn broken() -> Self {
        Self::Broken(words::BROKEN.to_owned())
    }

    /// Whether the connection broke off, as an idle one does that the server has ended.
    pub fn is_end(&self) -> bool {
        *self == Self::broken()
    }

    /// What came is no SFTP.
    pub fn malformed() -> Self {
        Self::Broken(
            "the server's answer is not SFTP. A login script that prints text does this; ask whoever runs the server"
                .to_owned(),
        )
    }
}

impl From<Malformed> for Fault {
    fn from(Malformed: Malformed) -> Self {
        Self::malformed()
    }
}
