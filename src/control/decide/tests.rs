//! Tables: what is seen and remembered → what is decided.
