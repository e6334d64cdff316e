//! The folder as a host, on a real file system.
