//! Pure: from bytes to a plan, and from a plan to reports. No network, no database, no clock; files only as readers and
//! writers that are handed in.

pub mod batches;
pub mod choose;
pub mod decode;
pub mod diff;
pub mod digest;
pub mod expression;
pub mod guard;
pub mod handover;
pub mod index;
pub mod layout;
pub mod map;
pub mod names;
pub mod render;
pub mod spill;
pub mod template;
pub mod users;
pub mod value;
